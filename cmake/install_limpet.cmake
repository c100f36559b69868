# `cmake --install build/release --prefix /usr`: the executable, sample configurations, documents, shell completion; GNU paths.

install(TARGETS limpet RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES LICENSE README.md CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
# In the folders in which the documents' links look for them.
install(DIRECTORY docs configs DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES plugin/plugin.conf DESTINATION ${CMAKE_INSTALL_DOCDIR}/configs/telegraf)
install(FILES src/sharding/ASSIGNMENT_FORMAT.md DESTINATION ${CMAKE_INSTALL_DOCDIR}/src/sharding)

install(FILES completion/limpet.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME limpet OPTIONAL)
install(FILES completion/limpet.zsh DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions RENAME _limpet OPTIONAL)
install(FILES completion/limpet.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d OPTIONAL)

# `cmake --install build/release --prefix /usr`: the executable, sample configurations, documents, shell completion; GNU paths.

install(TARGETS limpet RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES LICENSE README.md CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY configs/ DESTINATION ${CMAKE_INSTALL_DATADIR}/limpet)
install(FILES plugin/plugin.conf DESTINATION ${CMAKE_INSTALL_DATADIR}/limpet OPTIONAL)
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR} OPTIONAL)

install(FILES completion/limpet.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME limpet OPTIONAL)
install(FILES completion/limpet.zsh DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions RENAME _limpet OPTIONAL)
install(FILES completion/limpet.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d OPTIONAL)

# Writes a text file as a C++ source that defines `extern const std::string_view NAME` in namespace limpet.
#   cmake -DINPUT=page.html -DOUTPUT=page.cpp -DNAME=kPage -P embed.cmake
file(READ ${INPUT} text)
string(LENGTH "${text}" length)
if(text MATCHES "\\)EMBEDDED\"" OR length GREATER 65000)
  message(FATAL_ERROR "${INPUT} is too long for a string literal, or holds its end mark")
endif()
file(WRITE ${OUTPUT} "#include <string_view>

namespace limpet {
extern const std::string_view ${NAME};
const std::string_view ${NAME} = R\"EMBEDDED(${text})EMBEDDED\";
}  // namespace limpet
")

# How every target is compiled: the interface target limpet_options, and limpet_link_time_optimisation(target).

find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # NOHASHDIR: presets that compile alike (release, bench) share what is cached, though their build folders differ.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_NOHASHDIR=1 ${CCACHE})
endif()

add_library(limpet_options INTERFACE)
target_include_directories(limpet_options INTERFACE ${PROJECT_SOURCE_DIR}/src)
target_compile_definitions(limpet_options INTERFACE LIMPET_VERSION="${PROJECT_VERSION}")
target_compile_options(limpet_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion
  -Wnon-virtual-dtor -Wold-style-cast)
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  # False alarms of g++ 12 inside fmt and std::string (GCC bugs 105329, 105651).
  target_compile_options(limpet_options INTERFACE -Wno-stringop-overflow -Wno-restrict)
  if(LIMPET_SANITIZE)
    # With AddressSanitizer every copy of a std::variant or std::optional looks uninitialised to g++ 12 (GCC bug 105562).
    target_compile_options(limpet_options INTERFACE -Wno-maybe-uninitialized)
  endif()
else()
  # libstdc++ 12's std::stable_sort uses what C++17 deprecated; g++ is silent about system headers, clang is not about templates.
  target_compile_options(limpet_options INTERFACE -Wno-deprecated-declarations)
endif()
if(LIMPET_WERROR)
  target_compile_options(limpet_options INTERFACE -Werror)
endif()

# x86-64-v2 (SSE4.2) runs on every server of the last fifteen years; wider vectors are chosen at run time. On ARM64 the
# compiler's own baseline has what is needed.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  target_compile_options(limpet_options INTERFACE -march=x86-64-v2)
endif()

if(LIMPET_SANITIZE)
  target_compile_options(limpet_options INTERFACE -fsanitize=${LIMPET_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(limpet_options INTERFACE -fsanitize=${LIMPET_SANITIZE})
  if(LIMPET_SANITIZE MATCHES thread AND CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    target_compile_options(limpet_options INTERFACE -Wno-tsan)  # fences in Boost.Asio, which the sanitizer does not model
  endif()
endif()

if(LIMPET_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES Clang)
    message(FATAL_ERROR "The fuzzers need clang: cmake --preset fuzz")
  endif()
  target_compile_options(limpet_options INTERFACE -fsanitize=fuzzer-no-link)
  target_link_options(limpet_options INTERFACE -fsanitize=fuzzer-no-link)
endif()

# With g++ the objects hold machine code beside the intermediate form: the executable is optimised as a whole, in parallel, and
# the many test programs are linked the ordinary, quick way from the same objects.
set(limpet_fat_objects OFF)
if(LIMPET_LTO AND CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  set(limpet_fat_objects ON)
  target_compile_options(limpet_options INTERFACE -flto=auto -ffat-lto-objects)
  target_link_options(limpet_options INTERFACE -Wno-stringop-overflow $<IF:$<BOOL:$<TARGET_PROPERTY:LIMPET_WHOLE>>,-flto=auto,-fno-lto>)
elseif(LIMPET_LTO)
  find_program(LLD NAMES ld.lld-19 ld.lld)
  if(LLD)
    target_compile_options(limpet_options INTERFACE -flto=thin)
    target_link_options(limpet_options INTERFACE -flto=thin --ld-path=${LLD})
  else()
    message(STATUS "no lld: built without link-time optimisation")
  endif()
endif()

function(limpet_link_time_optimisation target)
  set_target_properties(${target} PROPERTIES LIMPET_WHOLE ${limpet_fat_objects})
endfunction()

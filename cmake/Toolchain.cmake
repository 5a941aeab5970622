# One compiler for builds, sanitizers, fuzzers and clang-tidy (doc/design.md, "Built with").
find_program(SIDEGATE_CCACHE ccache)
if(SIDEGATE_CCACHE)
  # Without this it takes nothing that is compiled with a precompiled header, and that is nearly everything.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${SIDEGATE_CCACHE})
endif()

add_compile_options(-Wall -Wextra -Werror -Wno-unused-parameter -fno-omit-frame-pointer)
# ccache and precompiled headers: the date of a header inside a .pch must not matter.
add_compile_options("SHELL:-Xclang -fno-pch-timestamp")
add_compile_definitions(BOOST_ASIO_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED BOOST_JSON_STANDALONE=0)
include_directories(${CMAKE_SOURCE_DIR}/src)
include_directories(SYSTEM /usr/include)
add_link_options(-fuse-ld=lld)

if(SIDEGATE_SANITIZE)
  add_compile_options(-fsanitize=${SIDEGATE_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${SIDEGATE_SANITIZE})
  # Every instruction that is inlined is instrumented once more: a fifth of such a build, more in files with coroutines.
  add_compile_options("SHELL:-mllvm -inline-threshold=20")
endif()

if(CMAKE_BUILD_TYPE STREQUAL "Release" OR CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
  add_compile_options(-D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    add_compile_options(-fcf-protection)
  endif()
  set(CMAKE_POSITION_INDEPENDENT_CODE ON)
  add_link_options(-Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)
  set(CMAKE_EXE_LINKER_FLAGS "${CMAKE_EXE_LINKER_FLAGS} -pie")
endif()

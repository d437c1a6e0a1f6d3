# Warnings and sanitizers for keel's own code; third-party code is compiled without them.
add_library(keel_flags INTERFACE)
target_compile_options(keel_flags INTERFACE -Wall -Wextra -Wshadow -Wconversion -Wnon-virtual-dtor
                       -Wno-sign-conversion -Wno-missing-field-initializers -Werror=unused-result)
if(KEEL_WERROR)
  target_compile_options(keel_flags INTERFACE -Werror)
endif()
if(KEEL_SANITIZE)
  # Everything in the build is instrumented, libraries built here included, or reports would be blind at the border.
  add_compile_options(-fsanitize=${KEEL_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${KEEL_SANITIZE})
endif()

# Tiny models with random weights, made by scripts/make-test-model, for tests of the families that keel has no small
# model of: hybrid ones, mixtures of experts, sliding windows. They borrow the vocabulary of the model that tests with a
# real engine use; where that has not been fetched none are made, and the tests that want them say so.
#
# Target keel_random_models; KEEL_RANDOM_MODELS_DIR is the folder they come to.
set(KEEL_RANDOM_MODELS_DIR "${CMAKE_BINARY_DIR}/test-models")
find_package(Python3 REQUIRED COMPONENTS Interpreter)

set(maker "${PROJECT_SOURCE_DIR}/scripts/make-test-model")
set(vocabulary "${KEEL_DEPS_CACHE}/models/smollm2-135m-instruct-q4_1.gguf")
file(MAKE_DIRECTORY "${KEEL_RANDOM_MODELS_DIR}")
set(models)
foreach(arch qwen35 qwen35moe gemma3)
  set(model "${KEEL_RANDOM_MODELS_DIR}/${arch}.gguf")
  add_custom_command(OUTPUT "${model}"
                     COMMAND ${Python3_EXECUTABLE} -B "${maker}" --if-there ${arch} "${vocabulary}" "${model}"
                     DEPENDS "${maker}"
                     COMMENT "making the random model ${arch}"
                     VERBATIM)
  list(APPEND models "${model}")
endforeach()
add_custom_target(keel_random_models DEPENDS ${models})

#include "app/commands.h"
#include "app/licences.h"
#include "app/report.h"
#ifdef KEEL_WITH_LLAMA
#include "model/engine/engine.h"
#endif

namespace keel::app {

int licenses_command() {
  print(licences_text());
  return exit_ok;
}

#ifdef KEEL_WITH_LLAMA
int engine_command(const std::vector<std::string>& arguments) {
  return local::engine_main(arguments);
}
#else
int engine_command(const std::vector<std::string>&) {
  return report(Error{Code::unsupported,
                      "this keel was built without the local engine",
                      "Build it with ./dev build.",
                      {}});
}
#endif

}  // namespace keel::app

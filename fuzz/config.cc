// A configuration file: any text gives errors or settings; settings shown as TOML load to the same again.
#include <string_view>

#include "base/text.h"
#include "check.h"
#include "config/show.h"

using namespace sidegate;

namespace {

config::LoadResult load(std::string text) {
  config::LoadRequest request;
  request.path = "f";
  request.text = std::move(text);
  request.system_name = "mail.example.org";
  request.open_files = false;
  return config::load(request);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto loaded = load(std::string(reinterpret_cast<const char*>(data), size));
  if (!loaded) {
    SIDEGATE_CHECK(!loaded.error().empty());
    for (const auto& problem : loaded.error()) SIDEGATE_CHECK(!problem.what.empty());
    return 0;
  }
  SIDEGATE_CHECK(!loaded->settings.listeners.empty());
  for (auto& relay : loaded->settings.deliver.relays) {
    SIDEGATE_CHECK(!relay.host.empty() && relay.port != 0);
    relay.password.clear();  // shown masked, it would come back as the mask
    relay.user.clear();
  }
  auto again = load(config::show(*loaded));
  SIDEGATE_CHECK(again);
  for (auto& relay : again->settings.deliver.relays) relay.password.clear();
  loaded->password_files.clear();
  again->password_files.clear();
  SIDEGATE_CHECK(config::show(*again) == config::show(*loaded));
  return 0;
}

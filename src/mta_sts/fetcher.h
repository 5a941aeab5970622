// The one thread that fetches policy files by HTTPS (RFC 8461 section 3.3): libcurl, many at a time, so that a host
// that does not answer delays no other. Started by the first question.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"

namespace sidegate::mta_sts {

// RFC 8460 section 4.3.2.2, by which it is counted.
enum class Failure : std::uint8_t {
  kFetch,    // sts-policy-fetch-error: no answer, or another one than 200
  kInvalid,  // sts-policy-invalid
  kWebPki,   // sts-webpki-invalid: the certificate is not one for that name
};
const char* name(Failure failure);

struct FetchTrouble {
  Failure failure = Failure::kFetch;
  std::string text;
};
using Fetched = std::expected<std::string, FetchTrouble>;

// https://mta-sts.DOMAIN/.well-known/mta-sts.txt from one of `addresses`; the name is looked up nowhere else.
struct FetchQuestion {
  std::string domain;
  std::vector<std::string> addresses;
  std::string ca_pem;  // empty: the system's CAs
};

struct FetchSettings {
  Duration limit = std::chrono::minutes(1);  // for all of it: RFC 8461 section 3.3 suggests one minute
  std::uint16_t port = 443;
  std::size_t at_a_time = 100;  // more are refused
};

class Fetcher {  // thread-safe
 public:
  using Done =
      std::move_only_function<void(Fetched)>;  // called exactly once: on the thread, or at once when too many wait

  explicit Fetcher(FetchSettings settings);
  ~Fetcher();  // fetches under way end with a failure
  void fetch(FetchQuestion question, Done done);

 private:
  struct Body;
  std::unique_ptr<Body> body_;
};

}  // namespace sidegate::mta_sts

#include "tlsrpt/report.h"

#include <boost/json.hpp>

namespace sidegate::tlsrpt {
namespace {

using boost::json::array;
using boost::json::object;
using boost::json::value_from;

object failure_json(const Failure& failure) {
  object out{{"result-type", name(failure.type)}};
  // RFC 8460 section 4.4: what is not known is left out.
  const std::pair<const char*, const std::string*> texts[] = {{"sending-mta-ip", &failure.sending_address},
                                                              {"receiving-mx-hostname", &failure.mx_host},
                                                              {"receiving-ip", &failure.address}};
  for (const auto& [key, text] : texts) {
    if (!text->empty()) out[key] = *text;
  }
  out["failed-session-count"] = failure.sessions;
  if (!failure.reason.empty()) out["failure-reason-code"] = failure.reason;
  return out;
}

object policy_json(const PolicyCount& count, const std::string& domain) {
  object policy{{"policy-type", name(count.policy.type)}};
  if (!count.policy.text.empty()) policy["policy-string"] = value_from(count.policy.text);
  policy["policy-domain"] = domain;
  if (!count.policy.mx.empty()) policy["mx-host"] = value_from(count.policy.mx);
  object out{
      {"policy", std::move(policy)},
      {"summary", object{{"total-successful-session-count", count.good}, {"total-failure-session-count", count.bad}}}};
  array failures;
  for (const Failure& failure : count.failures) failures.push_back(failure_json(failure));
  if (!failures.empty()) out["failure-details"] = std::move(failures);
  return out;
}

}  // namespace

std::string json(const Day& day) {
  array policies;
  for (const PolicyCount& count : day.policies) policies.push_back(policy_json(count, day.domain));
  return boost::json::serialize(object{{"date", day.date}, {"domain", day.domain}, {"policies", std::move(policies)}});
}

}  // namespace sidegate::tlsrpt

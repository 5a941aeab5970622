#include "smtp/ehlo_answer.h"

namespace sidegate::smtp {

std::string ehlo_answer(const ServerSettings& settings, std::uint64_t size, bool starttls,
                        const std::vector<std::string_view>& auth, std::string_view xclient, bool tls) {
  std::string answer;
  answer.reserve(256);
  answer.append("250-").append(settings.hostname).append("\r\n");
  answer.append("250-PIPELINING\r\n");                                     // RFC 2920
  answer.append("250-SIZE ").append(std::to_string(size)).append("\r\n");  // RFC 1870
  if (starttls) answer.append("250-STARTTLS\r\n");                         // RFC 3207
  if (!auth.empty()) {                                                     // RFC 4954 section 3
    answer.append("250-AUTH");
    for (std::string_view mechanism : auth) answer.append(" ").append(mechanism);
    answer.append("\r\n");
  }
  if (!xclient.empty()) answer.append("250-").append(xclient).append("\r\n");
  if (tls) answer.append("250-REQUIRETLS\r\n");  // RFC 8689 section 2: never before
  answer.append("250-8BITMIME\r\n");             // RFC 6152
  answer.append("250-SMTPUTF8\r\n");             // RFC 6531
  answer.append("250-ENHANCEDSTATUSCODES\r\n");  // RFC 2034
  answer.append("250-DSN\r\n");                  // RFC 3461
  answer.append("250 CHUNKING\r\n");             // RFC 3030, without BINARYMIME
  return answer;
}

std::string tls_summary(const tls::Verdict& verdict) {
  if (verdict.version.empty()) return {};
  return verdict.version + " cipher " + verdict.cipher;
}

}  // namespace sidegate::smtp

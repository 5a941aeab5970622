// What we say of ourselves: the answer to EHLO, and one line on a TLS connection for the trace field.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "smtp/settings.h"
#include "tls/context.h"

namespace sidegate::smtp {

// As sent. auth: the mechanisms, none where AUTH is not offered. xclient: its line, empty where it is not offered.
// tls: the session is inside TLS.
std::string ehlo_answer(const ServerSettings& settings, std::uint64_t size, bool starttls,
                        const std::vector<std::string_view>& auth, std::string_view xclient = {}, bool tls = false);
std::string tls_summary(const tls::Verdict& verdict);  // "TLSv1.3 cipher TLS_AES_256_GCM_SHA384"

}  // namespace sidegate::smtp

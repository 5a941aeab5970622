// A signed token (RFC 7519, 7515) verified by a set of public keys (RFC 7517). Pure but for OpenSSL's arithmetic.
#pragma once

#include <boost/json.hpp>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "login/settings.h"

namespace sidegate::login {

std::optional<std::string> unbase64url(std::string_view text);  // RFC 7515 appendix C: no padding
bool looks_like_jwt(std::string_view token);
// RS256 and ES256. kNotFound: no key of that name (the set may be old); kAuth: not to be believed.
Result<boost::json::object> jwt_claims(std::string_view token, std::string_view jwks);
// Whom the claims name, where they say all that the settings ask: issuer, audience, scope, times. kAuth: they do not.
Result<std::string> user_of_claims(const boost::json::object& claims, const OauthSettings& settings, WallTime now,
                                   bool must_expire);

}  // namespace sidegate::login

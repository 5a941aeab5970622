// What we add to a message: the trace field (RFC 5321 section 4.4) and, for who may relay here, what RFC 6409 section 8
// lets a submission server do. Nothing else changes by one octet. Pure.
#pragma once

#include <string>

#include "mail/header.h"

namespace sidegate::intake {

// RFC 3848, and RFC 6531 section 4.3: "SMTP", "ESMTP", "ESMTPS", "UTF8SMTPSA" ...
std::string protocol_keyword(bool esmtp, bool tls, bool authenticated, bool smtputf8);

// Date and Message-ID (RFC 5322 section 3.6) where `header` has none; RFC 6409 sections 8.2 and 8.3.
std::string missing_fields(std::string_view header, WallTime now, QueueId id, std::string_view hostname);
// From, where there is none: the reverse-path.
std::string missing_from(std::string_view header, std::string_view reverse_path, std::string_view hostname);

// The addresses without a domain with `hostname`, in every field of addresses that can be read.
std::string with_whole_addresses(std::string header, std::string_view hostname);

// What no mail client should have sent: Bcc (RFC 5322 section 3.6.3: its recipients are secret) and Return-Path (RFC
// 5321 section 4.4: the last server alone writes it).
std::string without_private_fields(std::string_view header);

// The block without all fields of that name.
std::string without_field(std::string_view header, std::string_view field);

// RFC 6409 section 8.1: Sender says who it was, where From names somebody else alone. identity: a mail address.
std::string with_sender(std::string header, std::string_view identity);

}  // namespace sidegate::intake

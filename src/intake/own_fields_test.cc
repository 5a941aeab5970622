#include "intake/own_fields.h"

#include <gtest/gtest.h>

#include "mail/header.h"

namespace sidegate::intake::own_fields_test {
namespace {

// What is added to a header, as names: "Date Message-ID ".
std::string added(const std::string& header) {
  std::string names;
  const std::string fields = missing_fields(header, WallTime(), QueueId(), "gate.example");
  mail::for_each_field(fields, [&](const mail::Field& field) {
    names.append(field.name).append(" ");
    return true;
  });
  return names;
}

TEST(MissingFields, WhatASignatureSaysIsNotThereStaysAway) {
  struct {
    std::string header, expected;
  } cases[] = {
      {"From: a@b\r\n", "Date Message-ID "},
      {"date: x\r\nMESSAGE-ID: <x>\r\n", ""},
      {"DKIM-Signature: v=1; d=b; h=from:subject; b=x\r\nFrom: a@b\r\n", "Date Message-ID "},
      {"DKIM-Signature: v=1; d=b; h=From:Message-ID; b=x\r\nFrom: a@b\r\n", "Date "},
      {"DKIM-Signature: v=1; h=from; b=x\r\nDKIM-Signature: v=1; h=from :\r\n date; b=x\r\nFrom: a@b\r\n",
       "Message-ID "},
      {"DKIM-Signature: v=1; h=from:date:message-id; b=x\r\nDate: x\r\nFrom: a@b\r\n", ""},
  };
  for (const auto& c : cases) EXPECT_EQ(added(c.header), c.expected) << c.header;
}

}  // namespace
}  // namespace sidegate::intake::own_fields_test

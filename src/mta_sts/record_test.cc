#include "mta_sts/record.h"

#include <gtest/gtest.h>

namespace sidegate::mta_sts::record_test {
namespace {

TEST(StsRecord, WhatIsOneAndWhatIsNot) {
  const std::string long_id(32, 'a'), too_long(33, 'a'), long_name(32, 'x');
  const struct {
    std::string text, id;  // no id: malformed
  } cases[] = {
      {"v=STSv1; id=20160831085700Z;", "20160831085700Z"},
      {"v=STSv1; id=20160831085700Z", "20160831085700Z"},
      {"v=STSv1;id=a", "a"},
      {"v=STSv1 ;\tid=a ; ", "a"},
      {"v=STSv1; a-b_c.d=x:y/z; id=1", "1"},
      {"v=STSv1; id=1; " + long_name + "=x", "1"},
      {"v=STSv1; id=" + long_id, long_id},
      {"v=STSv1; id=" + too_long, ""},
      {"v=STSv1; id=", ""},
      {"v=STSv1; id=2026-01-01", ""},
      {"v=STSv1; id=a b", ""},
      {"v=STSv1; ID=a", ""},  // names of fields are as they are
      {"v=stsv1; id=a", ""},
      {"v=STSv2; id=a", ""},
      {" v=STSv1; id=a", ""},
      {"v=STSv1", ""},
      {"v=STSv1;", ""},
      {"v=STSv1;; id=a", ""},
      {"v=STSv1; id=a; id=b", ""},
      {"v=STSv1; id=a; x", ""},
      {"v=STSv1; id=a; _x=y", ""},
      {"v=STSv1; id=a; x=", ""},
      {"v=STSv1; id=a; x=y=z", ""},
      {"v=STSv1; id=a; " + long_name + "x=y", ""},
      {"v=STSv1; id=a; x=\xe3\x81\x82", ""},
      {"id=a; v=STSv1", ""},
      {"", ""},
  };
  for (const auto& c : cases) {
    auto record = parse_record(c.text);
    EXPECT_EQ(record.has_value(), !c.id.empty()) << c.text;
    if (record) {
      EXPECT_EQ(record->id, c.id) << c.text;
    }
  }
}

// RFC 8461 section 3.1.
TEST(StsRecord, OneOfAllThatAreThere) {
  auto id = [](std::vector<std::string> texts) {
    auto record = find_record(texts);
    return record ? record->id : std::string(name(record.error().kind));
  };
  EXPECT_EQ(id({"v=STSv1; id=a"}), "a");
  EXPECT_EQ(id({"v=spf1 -all", "v=STSv1; id=a", "v=STSv2; id=b", "something"}), "a");
  EXPECT_EQ(id({"v=STSv1; id=a", "v=STSv1; id=a"}), "not_found");
  EXPECT_EQ(id({"v=STSv1; id=a", "v=STSv1; nothing"}), "not_found");
  EXPECT_EQ(id({"v=STSv1; nothing"}), "bad_input");
  EXPECT_EQ(id({"v=spf1 -all"}), "not_found");
  EXPECT_EQ(id({}), "not_found");
}

}  // namespace
}  // namespace sidegate::mta_sts::record_test

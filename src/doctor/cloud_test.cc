#include "doctor/cloud.h"

#include <gtest/gtest.h>

#include <set>

namespace sidegate::doctor::cloud_test {
namespace {

TEST(Cloud, IsKnownByItsFirmware) {
  const struct {
    const char* what;
    Firmware firmware;
    Cloud cloud;
  } kCases[] = {
      {"EC2 Nitro", {"Amazon EC2", "t3.micro", "", "Amazon EC2", "1.0", "Amazon EC2", "Amazon EC2"}, Cloud::kAws},
      {"EC2 Xen", {"Xen", "HVM domU", "4.11.amazon", "Xen", "4.11.amazon", "", ""}, Cloud::kAws},
      {"Compute Engine", {"Google", "Google Compute Engine", "", "Google", "Google", "Google", ""}, Cloud::kGoogle},
      {"a Chromebook", {"Google", "Eve", "rev5", "coreboot", "", "Google", ""}, Cloud::kNone},
      {"Azure",
       {"Microsoft Corporation", "Virtual Machine", "Hyper-V UEFI", "Microsoft Corporation", "", "",
        "7783-7084-3265-9085-8269-3286-77"},
       Cloud::kAzure},
      {"Hyper-V at home",
       {"Microsoft Corporation", "Virtual Machine", "", "American Megatrends", "", "", "7783-1"},
       Cloud::kNone},
      {"Oracle",
       {"QEMU", "Standard PC (i440FX + PIIX, 1996)", "", "SeaBIOS", "", "", "OracleCloud.com"},
       Cloud::kOracle},
      {"Hetzner", {"Hetzner", "vServer", "20171111", "Hetzner", "", "KVM", ""}, Cloud::kHetzner},
      {"DigitalOcean", {"DigitalOcean", "Droplet", "20171212", "DigitalOcean", "", "", ""}, Cloud::kDigitalOcean},
      {"Vultr", {"Vultr", "HFC", "", "SeaBIOS", "", "", ""}, Cloud::kVultr},
      {"Linode", {"Linode", "Compute Instance", "", "", "", "", ""}, Cloud::kLinode},
      {"Akamai", {"Akamai Connected Cloud", "", "", "", "", "", ""}, Cloud::kLinode},
      {"Alibaba", {"Alibaba Cloud", "Alibaba Cloud ECS", "", "", "", "", ""}, Cloud::kAlibaba},
      {"a board at home",
       {"ASUSTeK COMPUTER INC.", "PRIME", "", "American Megatrends", "", "ASUSTeK", ""},
       Cloud::kNone},
      {"QEMU at home", {"QEMU", "Standard PC", "pc-q35-7.2", "SeaBIOS", "1.16", "", ""}, Cloud::kNone},
      {"a Raspberry Pi", {}, Cloud::kNone},
  };
  for (const auto& c : kCases) EXPECT_EQ(cloud_of(c.firmware), c.cloud) << c.what;
}

TEST(Cloud, EachSaysHowItOpens) {
  std::set<std::string> words;
  for (int i = 1; i <= static_cast<int>(Cloud::kExoscale); ++i) {
    const Cloud cloud = static_cast<Cloud>(i);
    EXPECT_TRUE(words.insert(word(cloud)).second) << word(cloud);
    EXPECT_STRNE(name(cloud), "");
    EXPECT_STRNE(how_to_open(cloud), how_to_open(Cloud::kNone)) << name(cloud);
  }
  EXPECT_STREQ(word(Cloud::kNone), "");
}

}  // namespace
}  // namespace sidegate::doctor::cloud_test

// Certificates made while a test runs: a throw-away CA and what it signs, as PEM files in a temporary directory.
#pragma once

#include <memory>
#include <string>
#include <vector>

namespace sidegate::test {

struct CertificateWish {
  std::vector<std::string> names = {};  // DNS names and addresses, for subjectAltName
  std::string common_name = {};         // empty: the first name
  int begins_in_days = -1;
  int ends_in_days = 30;
  bool self_signed = false;
};

struct IssuedCertificate {
  std::string cert_file;  // the certificate and, when signed by the CA, nothing else
  std::string key_file;
  std::string fingerprint;  // "sha256:<hex>"
};

class TestCa {
 public:
  explicit TestCa(const std::string& common_name = "Test CA");
  ~TestCa();  // removes the files
  TestCa(const TestCa&) = delete;

  const std::string& ca_file() const;
  const std::string& directory() const;
  IssuedCertificate issue(const CertificateWish& wish);  // P-256; throws std::runtime_error

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sidegate::test

// Gives every file of a corpus to a fuzz target once: the corpora as tests, without libFuzzer.
//   replay_NAME DIRECTORY|FILE...
// Fails where an argument is missing or a directory holds no file, so that a lost corpus does not pass in silence.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

namespace fs = std::filesystem;

// The files that `path` stands for; empty: nothing to replay there.
std::vector<fs::path> files_at(const fs::path& path) {
  std::error_code error;
  if (fs::is_regular_file(path, error)) return {path};
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(path, error)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

bool replay(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::stringstream read;
  if (in.peek() != std::ifstream::traits_type::eof()) read << in.rdbuf();
  if (in.bad() || !in.is_open()) return false;
  // A copy of exactly this size on the heap: reading beyond its end is then seen by the sanitizer.
  std::string text = read.str();
  std::vector<std::uint8_t> input(text.begin(), text.end());
  input.shrink_to_fit();
  LLVMFuzzerTestOneInput(input.data(), input.size());
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s DIRECTORY|FILE...\n", argv[0]);
    return 64;
  }
  std::size_t count = 0;
  for (int i = 1; i < argc; ++i) {
    std::vector<fs::path> files = files_at(argv[i]);
    if (files.empty()) {
      std::fprintf(stderr, "%s: no such file, or no file in it\n", argv[i]);
      return 1;
    }
    for (const fs::path& file : files) {
      if (!replay(file)) {
        std::fprintf(stderr, "%s: cannot be read\n", file.c_str());
        return 1;
      }
      ++count;
    }
  }
  std::printf("%zu inputs replayed\n", count);
  return 0;
}

#ifndef TASKVISOR_TOOLS_TREESUM_DIGEST_H_
#define TASKVISOR_TOOLS_TREESUM_DIGEST_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

struct evp_md_ctx_st;  // OpenSSL's EVP_MD_CTX

namespace taskvisor::treesum {

using Digest = std::array<uint8_t, 32>;

// 64 lower-case hexadecimal digits.
[[nodiscard]] std::string ToHex(const Digest& digest);

// Sha256
//
// OpenSSL's SHA-256, to be used again and again: Reset, Update..., Finish. One thread at a
// time. Throws std::runtime_error if OpenSSL fails, which only a lack of memory or a broken
// installation makes it do.
class Sha256 {
 public:
  Sha256();

  void Reset();
  void Update(const char* data, size_t size);
  // After it only Reset makes sense.
  [[nodiscard]] Digest Finish();

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

}  // namespace taskvisor::treesum

#endif  // TASKVISOR_TOOLS_TREESUM_DIGEST_H_

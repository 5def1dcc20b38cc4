#include "tools/treesum/digest.h"

#include <openssl/evp.h>

#include <stdexcept>

namespace taskvisor::treesum {
namespace {

// Fetched once: looking the algorithm up takes a lock, and longer than hashing a small file.
// Never freed, because a stuck body may outlive main.
const EVP_MD* Algorithm() {
  static const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  return algorithm;
}

void Require(bool good) {
  if (!good) throw std::runtime_error("OpenSSL refused to compute a SHA-256");
}

}  // namespace

std::string ToHex(const Digest& digest) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  hex.reserve(2 * digest.size());
  for (const uint8_t byte : digest) {
    hex += kDigits[byte >> 4];
    hex += kDigits[byte & 15];
  }
  return hex;
}

void Sha256::Free::operator()(evp_md_ctx_st* context) const { EVP_MD_CTX_free(context); }

Sha256::Sha256() : context_(EVP_MD_CTX_new()) { Reset(); }

void Sha256::Reset() {
  Require(context_ != nullptr && Algorithm() != nullptr &&
          EVP_DigestInit_ex2(context_.get(), Algorithm(), nullptr) == 1);
}

void Sha256::Update(const char* data, size_t size) {
  Require(EVP_DigestUpdate(context_.get(), data, size) == 1);
}

Digest Sha256::Finish() {
  Digest digest;
  unsigned size = 0;
  Require(EVP_DigestFinal_ex(context_.get(), digest.data(), &size) == 1 && size == digest.size());
  return digest;
}

}  // namespace taskvisor::treesum

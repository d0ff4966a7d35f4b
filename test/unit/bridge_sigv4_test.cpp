#include "bridge/media/sigv4.hpp"

#include <gtest/gtest.h>

namespace nexus::media {
namespace {

// The credentials, requests and signatures that AWS publishes as examples of Signature Version 4 for S3.
const Signer kSigner{"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "us-east-1"};
constexpr const char *kTime = "20130524T000000Z", *kHost = "examplebucket.s3.amazonaws.com";

std::string signature_of(const SignedRequest &request) {
  const std::string header = kSigner.authorization(request, kTime);
  return header.substr(header.find("Signature=") + 10);
}

TEST(SigV4, ReadsARange) {
  SignedRequest request;
  request.path = "/test.txt";
  request.payload_hash = sha256_hex("");
  request.headers = {
      {"host", kHost}, {"range", "bytes=0-9"}, {"x-amz-content-sha256", request.payload_hash}, {"x-amz-date", kTime}};
  EXPECT_EQ(kSigner.authorization(request, kTime),
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
            "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
            "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

TEST(SigV4, WritesAnObjectWhoseNameIsEncoded) {
  SignedRequest request;
  request.method = "PUT";
  request.path = uri_encoded("/test$file.text", true);
  request.payload_hash = sha256_hex("Welcome to Amazon S3.");
  request.headers = {{"date", "Fri, 24 May 2013 00:00:00 GMT"},
                     {"host", kHost},
                     {"x-amz-content-sha256", request.payload_hash},
                     {"x-amz-date", kTime},
                     {"x-amz-storage-class", "REDUCED_REDUNDANCY"}};
  EXPECT_EQ(signature_of(request), "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

TEST(SigV4, AsksForTheBucketWithAQuery) {
  SignedRequest request;
  request.payload_hash = sha256_hex("");
  request.headers = {{"host", kHost}, {"x-amz-content-sha256", request.payload_hash}, {"x-amz-date", kTime}};
  request.query = {{"lifecycle", ""}};
  EXPECT_EQ(signature_of(request), "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
  request.query = {{"prefix", "J"}, {"max-keys", "2"}};
  EXPECT_EQ(signature_of(request), "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

TEST(SigV4, Encodes) {
  EXPECT_EQ(uri_encoded("a b/\xc3\xa4~-._", true), "a%20b/%C3%A4~-._");
  EXPECT_EQ(uri_encoded("a/b", false), "a%2Fb");
  EXPECT_EQ(query_string({{"b", "1 2"}, {"a", ""}}), "a=&b=1%202");
}

}  // namespace
}  // namespace nexus::media

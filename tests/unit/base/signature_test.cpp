// Keys and signatures of files: what is believed, and the sentence for everything that is not.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <algorithm>

#include "core/base/trust.hpp"
#include "tests/support/temporary.hpp"

namespace cambium::base {
namespace {

using test::read_bytes;
using test::write_bytes;
using testing::AllOf;
using testing::HasSubstr;

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

class Signatures : public testing::Test {
 protected:
  Signatures() {
    write_bytes(file_, contents_);
    sign_as(FileKind::bundle);
  }
  void sign_as(FileKind kind) { write_bytes(signature_, sign(key_, kind, bytes_of(contents_))); }
  /// The sentence of the refusal; empty: it was believed.
  std::string look(const std::string& bytes, FileKind kind = FileKind::bundle) const {
    const auto fine = Trust({key_.public_key()}).of(kind)(file_, bytes_of(bytes));
    return fine ? "" : fine.error().message;
  }

  test::TemporaryFolder folder_;
  const SigningKey key_ = SigningKey::make().value(), other_ = SigningKey::make().value();
  const std::filesystem::path file_ = folder_ / "arm.safetensors";
  const std::filesystem::path signature_ = signature_of(file_);
  const std::string contents_ = "weights of an arm";
};

TEST_F(Signatures, AreBelievedOfTheBytesThatWereSigned) {
  EXPECT_EQ(look(contents_), "");
  EXPECT_EQ(signature_.filename(), "arm.safetensors.sig");
}

TEST_F(Signatures, WithoutAKeyEverythingIsTakenAsItIs) {
  EXPECT_FALSE(Trust().any());
  EXPECT_FALSE(Trust().of(FileKind::plugin));
}

TEST_F(Signatures, OfOneOfSeveralKeysAreEnough) {
  const auto fine = Trust({other_.public_key(), key_.public_key()})
                        .of(FileKind::bundle)(file_, bytes_of(contents_));
  EXPECT_TRUE(fine) << fine.error().message;
}

TEST_F(Signatures, AFileWithoutOneIsRefusedAndToldHowToSignIt) {
  std::filesystem::remove(signature_);
  EXPECT_THAT(look(contents_), AllOf(HasSubstr("'" + file_.string() + "' is not trusted"),
                                     HasSubstr("it is not signed"), HasSubstr("`cambium sign`")));
}

TEST_F(Signatures, OneAlteredByteOrOneMoreIsRefused) {
  for (std::size_t i = 0; i < contents_.size(); ++i) {
    std::string altered = contents_;
    altered[i] = static_cast<char>(altered[i] ^ 1);
    EXPECT_THAT(look(altered), HasSubstr("it was changed since")) << i;
  }
  EXPECT_THAT(look(contents_ + '\0'), HasSubstr("(SHA-256 "));
  EXPECT_THAT(look(contents_.substr(1)), HasSubstr("are not the 17 that were signed"));
}

TEST_F(Signatures, OfAnotherKeyAreRefusedAndBothKeysNamed) {
  write_bytes(signature_, sign(other_, FileKind::bundle, bytes_of(contents_)));
  EXPECT_THAT(look(contents_),
              AllOf(HasSubstr("signed with key " + short_name(other_.public_key())),
                    HasSubstr(short_name(key_.public_key()))));
}

TEST_F(Signatures, OfAnotherFileAreRefused) {
  write_bytes(signature_, sign(key_, FileKind::bundle, bytes_of("weights of a leg!")));
  EXPECT_THAT(look(contents_), HasSubstr("the signature belongs to another file"));
}

TEST_F(Signatures, OfAnotherKindAreRefusedAndBothKindsNamed) {
  EXPECT_THAT(look(contents_, FileKind::stock),
              HasSubstr("signed as a bundle and used as a stock"));
  sign_as(FileKind::plugin);
  EXPECT_THAT(look(contents_), HasSubstr("signed as a plugin and used as a bundle"));
}

TEST_F(Signatures, CutShortAnywhereAreRefused) {
  const std::string whole = read_bytes(signature_);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    write_bytes(signature_, whole.substr(0, size));
    EXPECT_THAT(look(contents_), HasSubstr("its signature cannot be read")) << size;
  }
}

TEST_F(Signatures, WithAnyByteAlteredAreRefused) {
  const std::string whole = read_bytes(signature_);
  for (std::size_t i = 0; i < whole.size(); ++i) {
    for (const int bit : {1, 16, 32}) {  // another digit, another letter, another case
      std::string altered = whole;
      altered[i] = static_cast<char>(altered[i] ^ bit);
      write_bytes(signature_, altered);
      EXPECT_NE(look(contents_), "") << "byte " << i << " of " << altered;
    }
  }
}

TEST_F(Signatures, HaveOneSpellingAndNothingBehindThem) {
  const std::string whole = read_bytes(signature_);
  std::string upper = whole;
  std::ranges::transform(upper, upper.begin(), [](char c) {
    return c >= 'a' && c <= 'f' ? static_cast<char>(c - 32) : c;
  });
  for (const auto& text : {whole + "\n", whole + " ", " " + whole, "\n" + whole, upper,
                           whole + whole, std::string(2000, 'x')}) {
    write_bytes(signature_, text);
    EXPECT_NE(look(contents_), "") << text;
  }
  std::string zeros = whole;
  zeros.insert(zeros.find("bytes ") + 6, "0");
  write_bytes(signature_, zeros);
  EXPECT_NE(look(contents_), "");
}

TEST_F(Signatures, AFolderOrPipeInTheirPlaceIsRefusedWithoutWaiting) {
  std::filesystem::remove(signature_);
  ASSERT_EQ(::mkfifo(signature_.c_str(), 0600), 0);
  EXPECT_THAT(look(contents_), HasSubstr("is no signature"));
  std::filesystem::remove(signature_);
  std::filesystem::create_directory(signature_);
  EXPECT_THAT(look(contents_), HasSubstr("is no signature"));
}

TEST_F(Signatures, OfTheSameWordsInAnotherUseAreNone) {
  // The title is part of what is signed: what a key signs elsewhere says nothing of files.
  const std::string text = parse_signature(read_bytes(signature_), signature_)->statement.text();
  const auto bare = key_.sign(text.substr(text.find('\n') + 1));
  EXPECT_FALSE(verifies(key_.public_key(), text, bare));
  EXPECT_TRUE(verifies(key_.public_key(), text, key_.sign(text)));
}

TEST_F(Signatures, KeysComeBackFromTheirFilesAndAreNeverOverwritten) {
  const auto name = folder_ / "lab";
  ASSERT_TRUE(key_.write(name));
  struct stat facts {};
  ASSERT_EQ(::stat((folder_ / "lab.secret").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600U);
  const auto read = SigningKey::read(folder_ / "lab.secret");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->public_key(), key_.public_key());
  EXPECT_EQ(*read_signer_key(folder_ / "lab.pub"), key_.public_key());

  const std::string secret = read_bytes(folder_ / "lab.secret");
  EXPECT_THAT(other_.write(name).error().message, HasSubstr("never overwritten"));
  std::filesystem::remove(folder_ / "lab.pub");
  EXPECT_THAT(other_.write(name).error().message, HasSubstr("lab.secret'"));
  EXPECT_EQ(read_bytes(folder_ / "lab.secret"), secret);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "lab.pub")) << "half of a pair";
}

TEST_F(Signatures, ASecretThatOthersCouldReadIsRefused) {
  ASSERT_TRUE(key_.write(folder_ / "lab"));
  ASSERT_EQ(::chmod((folder_ / "lab.secret").c_str(), 0640), 0);
  EXPECT_THAT(SigningKey::read(folder_ / "lab.secret").error().message, HasSubstr("chmod 600"));
}

TEST_F(Signatures, KeyFilesThatAreNoneAreRefusedWithoutTellingWhatIsInThem) {
  ASSERT_TRUE(key_.write(folder_ / "lab"));
  const std::string secret = read_bytes(folder_ / "lab.secret");
  const auto digits = secret.substr(secret.find('\n') + 1, 64);
  const auto as_public = read_signer_key(folder_ / "lab.secret");
  EXPECT_THAT(as_public.error().message, HasSubstr("is not a public signing key"));
  EXPECT_THAT(as_public.error().message, Not(HasSubstr(digits.substr(0, 8))));
  for (const auto& text : {secret.substr(0, secret.size() - 2), secret + "\n", std::string()}) {
    write_bytes(folder_ / "lab.secret", text);
    EXPECT_FALSE(SigningKey::read(folder_ / "lab.secret"));
  }
  const std::vector<std::filesystem::path> missing = {folder_ / "nobody.pub"};
  EXPECT_THAT(Trust::read(missing).error().message,
              AllOf(HasSubstr("[trust] keys"), HasSubstr("nobody.pub")));
}

}  // namespace
}  // namespace cambium::base

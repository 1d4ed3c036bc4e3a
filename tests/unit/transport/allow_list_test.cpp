#include "core/transport/allow_list.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <algorithm>

#include "tests/support/temporary.hpp"

namespace cambium::transport {
namespace {

using base::CurveKey;
using base::CurveSecret;
using base::kSecond;
using base::NamedKey;
using testing::HasSubstr;

class AllowListTest : public testing::Test {
 protected:
  static CurveKey new_key() { return CurveSecret::random().public_key(); }

  void allow(const std::string& name, const CurveKey& key, Roles roles) {
    const auto added = allow_key(file_, {name, key}, roles);
    ASSERT_TRUE(added) << added.error().message;
  }
  std::unique_ptr<AllowList> open() {
    auto list =
        AllowList::open(file_, own_, [this](const std::string& text) { log_ += text + "\n"; });
    EXPECT_TRUE(list) << list.error().message;
    return list ? std::move(*list) : nullptr;
  }
  std::string wrong(const std::string& text) {
    test::write_bytes(file_, text);
    const auto keys = read_allow_file(file_);
    EXPECT_FALSE(keys) << text;
    return keys ? "" : keys.error().message;
  }

  test::TemporaryFolder folder_;
  const std::filesystem::path file_ = folder_ / "allowed";
  const CurveKey own_ = new_key();
  std::string log_;
};

TEST_F(AllowListTest, LetsInWhoIsOnItAndAsNothingElse) {
  const auto arm = new_key(), desk = new_key();
  allow("arm", arm, kController);
  allow("desk", desk, kHost | kAdmin);
  const auto list = open();
  EXPECT_TRUE(list->admit(arm, kController, "10.0.0.7"));
  EXPECT_FALSE(list->admit(arm, kAdmin, "10.0.0.7"));
  EXPECT_TRUE(list->admit(desk, kAdmin, ""));
  EXPECT_TRUE(list->admit(desk, kHost | kController, "")) << "one of them is enough";
  EXPECT_FALSE(list->admit(new_key(), kEveryRole, ""));
  EXPECT_EQ(list->status().keys, 2U);
  EXPECT_EQ(list->status().denied, 2U);
  EXPECT_THAT(log_, HasSubstr("at 10.0.0.7 is not let in as admin: 'arm' is only controller"));
}

TEST_F(AllowListTest, AlwaysLetsInItsOwnProcessAndWithoutAFileNobodyElse) {
  const auto list = AllowList::open({}, own_, {});
  ASSERT_TRUE(list);
  EXPECT_TRUE((*list)->admit(own_, kAdmin, ""));
  EXPECT_FALSE((*list)->admit(new_key(), kEveryRole, ""));
  (*list)->look(1 * kSecond);
  EXPECT_TRUE((*list)->may(0, kController));
}

TEST_F(AllowListTest, SpeaksOfAStrangerOnceAndCountsEveryTime) {
  const auto stranger = new_key();
  allow("arm", new_key(), kController);
  const auto list = open();
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(list->admit(stranger, kController, "10.0.0.7"));
  EXPECT_EQ(list->status().denied, 5U);
  EXPECT_EQ(std::count(log_.begin(), log_.end(), '\n'), 1);
  EXPECT_THAT(log_, HasSubstr(stranger.fingerprint()));
}

TEST_F(AllowListTest, RevokesWhoIsConnectedAndLetsHimBackIn) {
  const auto arm = new_key();
  allow("arm", arm, kController);
  const auto list = open();
  const auto number = list->admit(arm, kController, "");
  ASSERT_TRUE(number);
  EXPECT_TRUE(list->may(*number, kController));
  ASSERT_TRUE(revoke_key(file_, "arm"));
  list->look(1 * kSecond);
  EXPECT_FALSE(list->may(*number, kController));
  EXPECT_FALSE(list->may(*number, kController));
  EXPECT_FALSE(list->admit(arm, kController, ""));
  EXPECT_EQ(list->status().dropped, 2U);
  list->look(2 * kSecond);
  EXPECT_THAT(log_, HasSubstr("key 'arm' is revoked"));
  EXPECT_THAT(log_, HasSubstr("key 'arm' still sends"));
  allow("arm", arm, kController);
  list->look(3 * kSecond);
  EXPECT_TRUE(list->may(*number, kController)) << "the connection of before is good again";
  EXPECT_EQ(list->admit(arm, kController, ""), number);
}

TEST_F(AllowListTest, LooksAtItsFileAtMostTenTimesASecond) {
  allow("arm", new_key(), kController);
  const auto list = open();
  list->look(kSecond);
  ASSERT_TRUE(revoke_key(file_, "arm"));
  list->look(kSecond + AllowList::kLookEvery - 1);
  EXPECT_EQ(list->status().keys, 1U);
  list->look(kSecond + AllowList::kLookEvery);
  EXPECT_EQ(list->status().keys, 0U);
}

TEST_F(AllowListTest, KeepsTheListBeforeOneThatItCannotRead) {
  const auto arm = new_key();
  allow("arm", arm, kController);
  const auto list = open();
  test::write_bytes(file_, "arm what is this\n");
  list->look(kSecond);
  list->look(2 * kSecond);
  EXPECT_TRUE(list->admit(arm, kController, ""));
  EXPECT_THAT(list->status().problem, HasSubstr("allowed:1: the key of 'arm'"));
  EXPECT_EQ(std::count(log_.begin(), log_.end(), '\n'), 1) << log_;
  std::filesystem::remove(file_);
  list->look(3 * kSecond);
  EXPECT_TRUE(list->admit(arm, kController, ""));
  EXPECT_THAT(list->status().problem, HasSubstr("No such file"));
  allow("arm", arm, kController);
  list->look(4 * kSecond);
  EXPECT_EQ(list->status().problem, "");
}

TEST_F(AllowListTest, RemembersNoMoreKeysThanItHasPlacesFor) {
  std::string text;
  for (std::size_t i = 0; i < kMostAllowed; ++i)
    text += "k" + std::to_string(i) + " " + new_key().text() + " controller\n";
  test::write_bytes(file_, text);
  const auto list = open();
  EXPECT_EQ(list->status().keys, kMostAllowed);
  // Others in their place: the first ones may still be connected.
  const auto late = new_key();
  test::write_bytes(file_, "late " + late.text() + " controller\n");
  list->look(kSecond);
  EXPECT_FALSE(list->admit(late, kController, ""));
  EXPECT_THAT(log_, HasSubstr("'late' is one too many"));
  EXPECT_THAT(wrong(text + "more " + new_key().text() + " controller\n"),
              HasSubstr("allowed:1024: one key too many, expected at most 1023"));
}

TEST_F(AllowListTest, NamesTheLineThatIsWrong) {
  const std::string key = new_key().text(), other = new_key().text();
  EXPECT_THAT(wrong("\n# fine\na " + key + " controler\n"),
              HasSubstr("allowed:3: 'a' is 'controler', expected one or more of "
                        "controller,host,admin (did you mean 'controller'?)"));
  EXPECT_THAT(wrong("a " + key + "\n"), HasSubstr("expected one or more of"));
  EXPECT_THAT(wrong("a " + key + " host more\n"), HasSubstr("expected one or more of"));
  EXPECT_THAT(wrong("a " + key + " host,\n"), HasSubstr("expected one or more of"));
  EXPECT_THAT(wrong("a " + key + " host\na " + other + " host\n"),
              HasSubstr("allowed:2: 'a' stands"));
  EXPECT_THAT(wrong("a " + key + " host\nb " + key + " host\n"),
              HasSubstr("'b' has the key of 'a'"));
  EXPECT_THAT(wrong("/a " + key + " host\n"), HasSubstr("is no name"));
  const std::string secret = wrong("a secret " + key + "\n");
  EXPECT_THAT(secret, HasSubstr("is a secret key"));
  EXPECT_THAT(secret, testing::Not(HasSubstr(key)));
}

TEST_F(AllowListTest, IsRefusedIfOthersCouldAddThemselves) {
  allow("arm", new_key(), kController);
  ::chmod(file_.c_str(), 0664);
  const auto keys = read_allow_file(file_);
  ASSERT_FALSE(keys);
  EXPECT_THAT(keys.error().message, HasSubstr("chmod go-w"));
}

TEST_F(AllowListTest, IsEditedLineByLine) {
  const auto arm = new_key();
  test::write_bytes(file_, "# ours\n\nbase " + new_key().text() + " admin");
  allow("arm", arm, kController | kHost);
  EXPECT_FALSE(allow_key(file_, {"arm", new_key()}, kAdmin)) << "the name is taken";
  EXPECT_FALSE(allow_key(file_, {"copy", arm}, kAdmin)) << "the key is known";
  EXPECT_THAT(test::read_bytes(file_),
              HasSubstr("admin\narm " + arm.text() + " controller,host\n"));
  ASSERT_TRUE(revoke_key(file_, "base"));
  EXPECT_EQ(test::read_bytes(file_), "# ours\n\narm " + arm.text() + " controller,host\n");
  const auto unknown = revoke_key(file_, "arn");
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error().message, HasSubstr("did you mean 'arm'?"));
}

}  // namespace
}  // namespace cambium::transport

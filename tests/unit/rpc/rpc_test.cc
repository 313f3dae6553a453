#include "common/rpc/rpc.h"

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/base/version.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "squish/v1/experiment_service.grpc.pb.h"

namespace squish {
namespace {

using ::testing::HasSubstr;

// Answers Get with what it saw of its caller, or with a chosen error.
class EchoService : public v1::ExperimentService::CallbackService {
 public:
  grpc::ServerUnaryReactor* Get(grpc::CallbackServerContext* context,
                                const v1::GetExperimentRequest* request,
                                v1::Experiment* answer) override {
    const absl::StatusOr<Caller> caller = CallerOf(*context);
    if (!caller.ok()) return Refuse<grpc::ServerUnaryReactor>(caller.status());
    answer->set_id(caller->identity);
    answer->set_reason(caller->peer);
    if (request->id() == "big") answer->set_reason(std::string(5 << 20, 'x'));
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(request->id() == "missing" ? ToGrpc(absl::NotFoundError("no such experiment"))
                                               : grpc::Status::OK);
    return reactor;
  }
};

class RpcTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto server = StartServer("127.0.0.1:0", {&service_});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  std::string address() const { return absl::StrCat("127.0.0.1:", server_.port); }
  absl::Status Get(const std::string& id, v1::Experiment* answer, size_t metadata_bytes = 0) {
    return Get(MakeChannel(address()), id, answer, metadata_bytes);
  }
  static absl::Status Get(const std::shared_ptr<grpc::Channel>& channel, const std::string& id,
                          v1::Experiment* answer, size_t metadata_bytes = 0) {
    const auto stub = v1::ExperimentService::NewStub(channel);
    grpc::ClientContext context;
    if (metadata_bytes > 0) context.AddMetadata("note", std::string(metadata_bytes, 'n'));
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    v1::GetExperimentRequest request;
    request.set_id(id);
    return FromGrpc(stub->Get(&context, request, answer));
  }

  // What a program with this user agent is told.
  absl::Status GetAs(const std::string& user_agent) {
    grpc::ChannelArguments arguments;
    arguments.SetUserAgentPrefix(user_agent);
    v1::Experiment answer;
    return Get(grpc::CreateCustomChannel(address(), grpc::InsecureChannelCredentials(), arguments),
               "x", &answer);
  }

  EchoService service_;
  RunningServer server_;
};

TEST_F(RpcTest, ProgramOfAnotherMajorVersionIsRefusedNamingBoth) {
  const absl::Status status = GetAs("squish/9.1.2");
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("9.1.2"));
  EXPECT_THAT(std::string(status.message()), HasSubstr(kVersion));
  EXPECT_TRUE(absl::IsFailedPrecondition(GetAs("squish/nonsense")));
}

TEST_F(RpcTest, OtherReleaseOfTheSameMajorVersionAndStrangersMayCall) {
  const std::string version = kVersion;
  EXPECT_TRUE(GetAs(absl::StrCat("squish/", version.substr(0, version.find('.')), ".999.0")).ok());
  EXPECT_TRUE(GetAs("grpcurl/1.8").ok());
}

// gRPC may close the connection that it came by, too, which is nobody else's.
TEST_F(RpcTest, TooMuchMetadataEndsTheCallAndNobodyElses) {
  grpc::ChannelArguments own_connection;
  own_connection.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  const auto connect = [&] {
    return grpc::CreateCustomChannel(address(), grpc::InsecureChannelCredentials(),
                                     own_connection);
  };
  const auto greedy = connect(), other = connect();
  v1::Experiment answer;
  EXPECT_TRUE(Get(other, "x", &answer).ok());
  EXPECT_TRUE(Get(greedy, "x", &answer, kMaximumMetadataBytes / 2).ok());
  EXPECT_EQ(Get(greedy, "x", &answer, 2 * kMaximumMetadataBytes).code(),
            absl::StatusCode::kResourceExhausted);
  const absl::Status status = Get(other, "x", &answer);
  EXPECT_TRUE(status.ok()) << status;
}

TEST_F(RpcTest, CallerIsAnonymousOnAnInsecureChannelAndHasAPeer) {
  v1::Experiment answer;
  ASSERT_TRUE(Get("x", &answer).ok());
  EXPECT_EQ(answer.id(), "anonymous");
  EXPECT_THAT(answer.reason(), HasSubstr("127.0.0.1"));
}

TEST_F(RpcTest, StatusCrossesTheWireWithCodeAndMessage) {
  v1::Experiment answer;
  EXPECT_EQ(Get("missing", &answer), absl::NotFoundError("no such experiment"));
}

TEST_F(RpcTest, AnswersMayBeLargerThanRequests) {
  v1::Experiment answer;
  ASSERT_TRUE(Get("big", &answer).ok());
  EXPECT_EQ(answer.reason().size(), size_t{5} << 20);
  EXPECT_EQ(Get(std::string(5 << 20, 'x'), &answer).code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(RpcTest, PortInUseIsRefusedAndNamed) {
  EchoService other;
  const auto second = StartServer(address(), {&other});
  ASSERT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(address()));
}

TEST_F(RpcTest, AddressThatIsNoneIsRefusedAndNamed) {
  EchoService other;
  const auto second = StartServer("no-such-host.invalid:1", {&other});
  ASSERT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("no-such-host.invalid:1"));
}

TEST(RpcStatusTest, EveryCodeTranslatesBothWays) {
  for (int code = 0; code <= 16; ++code) {
    const absl::Status status(static_cast<absl::StatusCode>(code), code == 0 ? "" : "why");
    EXPECT_EQ(ToGrpc(status).error_code(), code);
    EXPECT_EQ(FromGrpc(ToGrpc(status)), status);
  }
}

TEST(RpcChannelTest, NobodyThereIsUnavailable) {
  const auto stub = v1::ExperimentService::NewStub(MakeChannel("127.0.0.1:1"));
  grpc::ClientContext context;
  v1::Experiment answer;
  EXPECT_EQ(FromGrpc(stub->Get(&context, v1::GetExperimentRequest(), &answer)).code(),
            absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace squish

// What runners may not claim.
#include "coordinator/service/result_check.h"

#include <cmath>
#include <functional>
#include <limits>

#include "common/base/file.h"
#include "common/base/sha256.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temporary_folder.h"
#include "tests/unit/service/fake_runner.h"

namespace squish {
namespace {

using testing::HasSubstr;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

class ResultCheckTest : public testing::Test {
 protected:
  ResultCheckTest() {
    train_.mutable_train()->set_device(v1::TrainingSpec::CPU);
    evaluate_.mutable_evaluate()->set_device(v1::TrainingSpec::CPU);
    export_.mutable_export_files()->set_network(*artifacts_->Put("a network"));
    export_.mutable_export_files()->add_batches(1);
    measure_.mutable_measure()->mutable_protocol()->set_batch(1);
    measure_.mutable_measure()->mutable_protocol()->set_threads(1);
    measure_.mutable_measure()->mutable_protocol()->set_input_size(32);
  }

  // What is said of a good answer to `work` after the change.
  Report Judge(const v1::Job& work, const std::function<void(v1::AttemptResult&)>& change) {
    v1::AttemptResult result = GoodAnswer(work, agent_.info, *artifacts_);
    *result.mutable_key() = work.key();
    change(result);
    return JudgeResult(work, result, dataset_, pinned_.has_value() ? &*pinned_ : nullptr, *artifacts_);
  }
  std::string TrainError(const std::function<void(v1::TrainResult&)>& change) {
    return Judge(train_, [&](auto& r) { change(*r.mutable_train()); }).error;
  }
  std::string MeasureError(const std::function<void(v1::MeasureResult&)>& change) {
    return Judge(measure_, [&](auto& r) { change(*r.mutable_measure()); }).error;
  }

  const std::string folder_ = TemporaryFolder();
  const std::unique_ptr<BlobStore> artifacts_ = *BlobStore::Open(folder_);
  const v1::DatasetSummary dataset_ = ReadyReport({}).summary();  // Two classes, ten in val/.
  FakeRunner agent_ = FakeAgent("agent-1");
  std::string EvaluateError(const std::function<void(v1::EvaluateResult&)>& change) {
    return Judge(evaluate_, [&](auto& r) { change(*r.mutable_evaluate()); }).error;
  }
  std::string ExportError(const std::function<void(v1::ExportResult&)>& change) {
    return Judge(export_, [&](auto& r) { change(*r.mutable_export_files()); }).error;
  }
  v1::Job train_, measure_, evaluate_, export_;
  std::optional<v1::MeasurementSetting> pinned_;
};

TEST_F(ResultCheckTest, GoodAnswersAreResults) {
  const Report training = Judge(train_, [](auto&) {});
  EXPECT_EQ(training.kind, Report::Kind::kResult) << training.error;
  EXPECT_TRUE(IsSha256Hex(training.digest));
  const Report measurement = Judge(measure_, [](auto&) {});
  EXPECT_EQ(measurement.kind, Report::Kind::kResult) << measurement.error;
  EXPECT_EQ(measurement.digest, "") << "measurements differ by nature";
}

TEST_F(ResultCheckTest, WhatDescribesAMeasurementIsBounded) {
  EXPECT_EQ(MeasureError([](auto& r) {
              r.mutable_latency()->set_p50_milliseconds(1);
              r.mutable_latency()->set_p90_milliseconds(1);
              r.mutable_latency()->set_p99_milliseconds(2);
              r.mutable_latency()->set_calls(7);
              r.add_builds()->set_ratio(1.5);
              r.mutable_output_check()->set_outcome(v1::OutputCheck::AGREES);
            }),
            "");
  EXPECT_THAT(MeasureError([](auto& r) { r.mutable_latency()->set_p50_milliseconds(0); }),
              HasSubstr("latency.p50"));
  EXPECT_THAT(MeasureError([](auto& r) {
                r.mutable_latency()->set_p50_milliseconds(2);
                r.mutable_latency()->set_p90_milliseconds(1);
              }),
              HasSubstr("latency.p90"));
  EXPECT_THAT(MeasureError([](auto& r) {
                r.mutable_latency()->set_p50_milliseconds(1);
                r.mutable_latency()->set_p90_milliseconds(1);
                r.mutable_latency()->set_p99_milliseconds(kInfinity);
              }),
              HasSubstr("latency.p99"));
  EXPECT_THAT(MeasureError([](auto& r) {
                for (int i = 0; i < 17; ++i) r.add_builds()->set_ratio(1);
              }),
              HasSubstr("too many builds"));
  EXPECT_THAT(MeasureError([](auto& r) { r.add_builds(); }), HasSubstr("builds.ratio"));
  EXPECT_THAT(MeasureError([](auto& r) {
                r.add_builds()->set_ratio(1);
                r.mutable_builds(0)->set_engine_sha256("abc");
              }),
              HasSubstr("engine_sha256"));
  EXPECT_THAT(MeasureError([](auto& r) { r.set_between_build_spread(kNan); }),
              HasSubstr("between_build_spread"));
  EXPECT_THAT(MeasureError([](auto& r) { r.set_restart_seconds(-1); }),
              HasSubstr("restart_seconds"));
  EXPECT_THAT(MeasureError([](auto& r) { r.mutable_output_check()->set_difference(kNan); }),
              HasSubstr("output_check.difference"));
  EXPECT_THAT(MeasureError([](auto& r) { r.mutable_output_check()->set_note("a\nb"); }),
              HasSubstr("output_check.note"));
  EXPECT_THAT(MeasureError([](auto& r) {
                r.mutable_output_check()->set_outcome(v1::OutputCheck::DIFFERS);
              }),
              HasSubstr("outputs differ"));
}

TEST_F(ResultCheckTest, EvaluationsAndExportsAreResults) {
  const Report evaluation = Judge(evaluate_, [](auto&) {});
  EXPECT_EQ(evaluation.kind, Report::Kind::kResult) << evaluation.error;
  EXPECT_TRUE(IsSha256Hex(evaluation.digest));
  const Report exported = Judge(export_, [](auto&) {});
  EXPECT_EQ(exported.kind, Report::Kind::kResult) << exported.error;
  EXPECT_TRUE(IsSha256Hex(exported.digest));
  EXPECT_NE(exported.digest, Judge(export_, [this](auto& r) {
                               v1::ExportedFile& file = *r.mutable_export_files()->mutable_files(0);
                               file.set_artifact(*artifacts_->Put("other bytes"));
                               file.set_bytes(11);
                             }).digest);
  evaluate_.mutable_evaluate()->set_device(v1::TrainingSpec::CUDA);
  EXPECT_EQ(Judge(evaluate_, [](auto&) {}).digest, "");
}

TEST_F(ResultCheckTest, ImpossibleEvaluationIsAFailure) {
  EXPECT_THAT(EvaluateError([](auto& r) { r.clear_evaluation(); }), HasSubstr("images"));
  EXPECT_THAT(EvaluateError([](auto& r) { r.mutable_evaluation()->set_log_loss(kNan); }),
              HasSubstr("log_loss"));
  EXPECT_THAT(EvaluateError([](auto& r) { r.mutable_evaluation()->set_accuracy(1.1); }),
              HasSubstr("no fraction"));
  EXPECT_THAT(EvaluateError([](auto& r) { r.mutable_evaluation()->set_balanced_accuracy(kNan); }),
              HasSubstr("no fraction"));
  EXPECT_THAT(EvaluateError([](auto& r) { r.mutable_evaluation()->set_images(1); }),
              HasSubstr("val/ has 10"));
  EXPECT_THAT(EvaluateError([](auto& r) { r.mutable_evaluation()->add_confusion(0); }),
              HasSubstr("not 2 times 2"));
  EXPECT_THAT(EvaluateError([](auto& r) { r.mutable_evaluation()->clear_confusion(); }),
              HasSubstr("not 2 times 2"));
  EXPECT_THAT(EvaluateError([](auto& r) {
                v1::Evaluation& e = *r.mutable_evaluation();
                e.set_confusion(2, e.confusion(2) - 1);
              }),
              HasSubstr("confusion"));
  EXPECT_THAT(EvaluateError([](auto& r) {
                v1::Evaluation& e = *r.mutable_evaluation();
                e.set_confusion(1, e.confusion(1) + 1);
              }),
              HasSubstr("add up"));
  EXPECT_THAT(EvaluateError([](auto& r) {
                v1::Evaluation& e = *r.mutable_evaluation();
                e.set_accuracy(e.accuracy() > 0.5 ? 0 : 1);
              }),
              HasSubstr("add up"));
  EXPECT_THAT(EvaluateError([](auto& r) { r.set_predictions(Sha256Hex("x")); }),
              HasSubstr("not uploaded"));
  EXPECT_THAT(EvaluateError([](auto& r) { r.clear_numerics_class(); }),
              HasSubstr("numerics_class"));
}

TEST_F(ResultCheckTest, ImpossibleExportIsAFailure) {
  EXPECT_THAT(ExportError([](auto& r) { r.clear_files(); }), HasSubstr("is missing"));
  for (const char* missing : {"model.onnx", "model-batch-1.onnx", "model.pt", "network.safetensors"}) {
    EXPECT_THAT(ExportError([&](v1::ExportResult& r) {
                  for (int i = r.files_size() - 1; i >= 0; --i) {
                    if (r.files(i).name() == missing) r.mutable_files()->DeleteSubrange(i, 1);
                  }
                }),
                HasSubstr(std::string(missing) + " is missing"));
  }
  for (const char* name : {"", "../model.onnx", "README.md", "model-batch-2.onnx"}) {
    EXPECT_THAT(ExportError([&](auto& r) { r.mutable_files(0)->set_name(name); }),
                HasSubstr("not asked for"))
        << name;
  }
  EXPECT_THAT(ExportError([](auto& r) { *r.add_files() = r.files(0); }), HasSubstr("twice"));
  EXPECT_THAT(ExportError([](v1::ExportResult& r) {
                for (v1::ExportedFile& file : *r.mutable_files()) {
                  if (file.name() == "network.safetensors") file.set_artifact(r.files(0).artifact());
                }
              }),
              HasSubstr("is another network"));
  EXPECT_THAT(ExportError([](auto& r) { r.mutable_files(0)->set_artifact(Sha256Hex("x")); }),
              HasSubstr("not uploaded"));
  EXPECT_THAT(ExportError([](auto& r) { r.mutable_files(0)->set_bytes(1); }),
              HasSubstr("another size"));
  EXPECT_THAT(ExportError([](auto& r) { r.mutable_files(0)->set_difference(2e-4); }),
              HasSubstr("differ"));
  EXPECT_THAT(ExportError([](auto& r) { r.mutable_files(1)->set_difference_at_100(kNan); }),
              HasSubstr("differ"));
  EXPECT_THAT(ExportError([](auto& r) { r.mutable_files(1)->clear_checked_with(); }),
              HasSubstr("checked_with"));
}

TEST_F(ResultCheckTest, TrainingOnCudaIsNotCompared) {
  train_.mutable_train()->set_device(v1::TrainingSpec::CUDA);
  EXPECT_EQ(Judge(train_, [](auto&) {}).digest, "");
}

TEST_F(ResultCheckTest, DivergedTrainingNeedsNoNetwork) {
  const Report report = Judge(train_, [](v1::AttemptResult& r) {
    r.mutable_train()->set_outcome(v1::TrainResult::DIVERGED);
    r.mutable_train()->clear_artifact();
    r.mutable_train()->clear_weights_digest();
  });
  EXPECT_EQ(report.kind, Report::Kind::kResult) << report.error;
  EXPECT_EQ(report.digest, "DIVERGED");
}

TEST_F(ResultCheckTest, ImpossibleTrainingIsAFailure) {
  EXPECT_THAT(TrainError([](auto& r) { r.clear_outcome(); }), HasSubstr("outcome"));
  EXPECT_THAT(TrainError([](auto& r) { r.set_artifact(Sha256Hex("x")); }),
              HasSubstr("not uploaded"));
  EXPECT_THAT(TrainError([](auto& r) { r.set_weights_digest("x"); }), HasSubstr("weights_digest"));
  EXPECT_THAT(TrainError([](auto& r) { r.set_selection_accuracy(1.5); }), HasSubstr("accuracy"));
  EXPECT_THAT(TrainError([](auto& r) { r.set_selection_accuracy(kNan); }), HasSubstr("accuracy"));
  EXPECT_THAT(TrainError([](auto& r) { r.set_selection_log_loss(-1); }), HasSubstr("log_loss"));
  EXPECT_THAT(TrainError([](auto& r) { r.set_selection_log_loss(kInfinity); }),
              HasSubstr("log_loss"));
  EXPECT_THAT(TrainError([](auto& r) { r.set_final_training_loss(kNan); }),
              HasSubstr("final_training_loss"));
  EXPECT_THAT(TrainError([](auto& r) { r.set_images_seen(-1); }), HasSubstr("images_seen"));
  EXPECT_THAT(TrainError([](auto& r) { r.set_images_seen(int64_t{1} << 60); }),
              HasSubstr("images_seen"));
  EXPECT_THAT(TrainError([](auto& r) { r.clear_numerics_class(); }), HasSubstr("numerics_class"));
  EXPECT_THAT(TrainError([](auto& r) { r.set_numerics_class("a\nb"); }),
              HasSubstr("numerics_class"));
  EXPECT_THAT(TrainError([](auto& r) { r.set_wall_seconds(-1); }), HasSubstr("wall_seconds"));
  EXPECT_THAT(TrainError([](auto& r) { r.set_step_seconds(kNan); }), HasSubstr("step_seconds"));
}

TEST_F(ResultCheckTest, WantedStrengthsMustHaveBeenUploaded) {
  train_.mutable_train()->set_strength_images(8);
  EXPECT_EQ(TrainError([](auto&) {}), "");
  EXPECT_THAT(TrainError([](auto& r) { r.clear_strengths(); }), HasSubstr("strengths is no"));
  EXPECT_THAT(TrainError([](auto& r) { r.set_strengths("x"); }), HasSubstr("strengths is no"));
  EXPECT_THAT(TrainError([](auto& r) { r.set_strengths(Sha256Hex("x")); }),
              HasSubstr("not uploaded"));
}

TEST_F(ResultCheckTest, StrengthsThatNobodyWantsAreAFailure) {
  const std::string uploaded = *artifacts_->Put("strengths");
  EXPECT_THAT(TrainError([&](auto& r) { r.set_strengths(uploaded); }), HasSubstr("nobody wants"));
  train_.mutable_train()->set_strength_images(8);
  EXPECT_THAT(TrainError([](auto& r) { r.set_outcome(v1::TrainResult::DIVERGED); }),
              HasSubstr("nobody wants"));
  EXPECT_EQ(TrainError([](auto& r) {
              r.set_outcome(v1::TrainResult::DIVERGED);
              r.clear_strengths();
            }),
            "");
}

class EngineFilesCheckTest : public ResultCheckTest {
 protected:
  EngineFilesCheckTest() {
    for (const int batch : {1, 8}) Order().add_batches(batch);
  }
  v1::EngineFilesOrder& Order() { return *job_.mutable_synthesize()->mutable_engine_files(); }
  std::string Error(const std::function<void(v1::SynthesizeResult&)>& change) {
    return Judge(job_, [&](auto& r) { change(*r.mutable_synthesize()); }).error;
  }
  v1::Job job_;
};

TEST_F(EngineFilesCheckTest, ThoseThatWereOrderedMustHaveBeenUploaded) {
  EXPECT_EQ(Error([](auto&) {}), "");
  const std::string absent = Sha256Hex("x");
  EXPECT_THAT(Error([](auto& r) { r.clear_engine_files(); }), HasSubstr("lacks engine files"));
  EXPECT_THAT(Error([&](auto& r) {
                r.mutable_engine_files()->mutable_onnx(1)->set_artifact(absent);
              }),
              HasSubstr("ONNX file " + absent + " was not uploaded"));
  EXPECT_THAT(Error([](auto& r) { r.mutable_engine_files()->mutable_onnx(0)->clear_artifact(); }),
              HasSubstr("ONNX file is no SHA-256"));
  EXPECT_THAT(Error([&](auto& r) { r.mutable_engine_files()->set_probe_pictures(absent); }),
              HasSubstr("probe_pictures"));
  EXPECT_THAT(Error([](auto& r) { r.mutable_engine_files()->set_probe_outputs("../x"); }),
              HasSubstr("probe_outputs is no SHA-256"));
}

TEST_F(EngineFilesCheckTest, BatchesAreThoseThatWereOrdered) {
  EXPECT_THAT(Error([](auto& r) { r.mutable_engine_files()->mutable_onnx()->RemoveLast(); }),
              HasSubstr("no ONNX file for a batch of 8"));
  EXPECT_THAT(Error([](auto& r) { r.mutable_engine_files()->mutable_onnx(0)->set_batch(2); }),
              HasSubstr("for a batch of 2 that was not ordered"));
  EXPECT_THAT(Error([](auto& r) { r.mutable_engine_files()->mutable_onnx(1)->set_batch(1); }),
              HasSubstr("or have it twice"));
}

TEST_F(EngineFilesCheckTest, ThoseThatNobodyOrderedAreAFailure) {
  const v1::EngineFiles files =
      GoodAnswer(job_, agent_.info, *artifacts_).synthesize().engine_files();
  EXPECT_THAT(Error([&](auto& r) { *r.mutable_ancestor_files() = files; }),
              HasSubstr("engine files of the ancestor, which nobody ordered"));
  job_.mutable_synthesize()->clear_engine_files();
  EXPECT_EQ(Error([](auto&) {}), "");
  EXPECT_THAT(Error([&](auto& r) { *r.mutable_engine_files() = files; }),
              HasSubstr("engine files, which nobody ordered"));
}

TEST_F(EngineFilesCheckTest, ThoseOfABranchsAncestorAreAskedForToo) {
  Order().set_ancestor(*artifacts_->Put("the first ancestor"));
  EXPECT_EQ(Error([](auto&) {}), "");
  EXPECT_THAT(Error([](auto& r) { r.clear_ancestor_files(); }),
              HasSubstr("lacks engine files of the ancestor"));
}

TEST_F(EngineFilesCheckTest, OthersAreTheSameSynthesis) {
  const std::string digest = Judge(job_, [](auto&) {}).digest;
  EXPECT_EQ(digest, Judge(job_, [this](auto& r) {
                      r.mutable_synthesize()->mutable_engine_files()->set_probe_outputs(
                          *artifacts_->Put("of another processor"));
                    }).digest);
}

TEST_F(ResultCheckTest, OtherStrengthsAreAnotherTraining) {
  train_.mutable_train()->set_strength_images(8);
  const std::string digest = Judge(train_, [](auto&) {}).digest;
  EXPECT_TRUE(IsSha256Hex(digest));
  EXPECT_EQ(digest, Judge(train_, [](auto&) {}).digest);
  EXPECT_NE(digest, Judge(train_, [this](auto& r) {
                      r.mutable_train()->set_strengths(*artifacts_->Put("others"));
                    }).digest);
  train_.mutable_train()->set_device(v1::TrainingSpec::CUDA);
  EXPECT_EQ(Judge(train_, [](auto&) {}).digest, "");
}

TEST_F(ResultCheckTest, ImpossibleMeasurementIsAFailure) {
  EXPECT_THAT(MeasureError([](auto& r) { r.clear_verdict(); }), HasSubstr("verdict"));
  EXPECT_THAT(MeasureError([](auto& r) { r.set_images_per_second(0); }), HasSubstr("images"));
  EXPECT_THAT(MeasureError([](auto& r) { r.set_ancestor_images_per_second(-1); }),
              HasSubstr("ancestor_images"));
  EXPECT_THAT(MeasureError([](auto& r) { r.set_ratio(kNan); }), HasSubstr("ratio"));
  EXPECT_THAT(MeasureError([](auto& r) { r.set_ratio_half_width(kInfinity); }),
              HasSubstr("ratio_half_width"));
  EXPECT_THAT(MeasureError([](auto& r) { r.mutable_setting()->clear_device_class(); }),
              HasSubstr("device_class"));
  EXPECT_THAT(MeasureError([](auto& r) { r.mutable_setting()->clear_engine(); }),
              HasSubstr("engine"));
  EXPECT_THAT(MeasureError([](auto& r) { r.mutable_setting()->set_batch(8); }),
              HasSubstr("protocol"));
  EXPECT_THAT(MeasureError([](auto& r) { r.mutable_setting()->set_input_size(8); }),
              HasSubstr("protocol"));
}

TEST_F(ResultCheckTest, BoardIsAsTheAgentToldIt) {
  const auto told = [](auto& r) {
    v1::BoardReport& board = *r.mutable_board();
    board.mutable_info()->set_model("NVIDIA Jetson TX1 Developer Kit");
    board.mutable_info()->set_cpu_maximum_megahertz(1734);
    for (v1::BoardSample* sample : {board.mutable_before(), board.mutable_after()}) {
      sample->set_gpu_load(1);
      sample->add_zones()->set_celsius(41.5);
      sample->add_rails()->set_watts(9.5);
    }
    board.mutable_energy()->set_readings(50);
    board.mutable_energy()->set_images_per_joule(20);
  };
  EXPECT_EQ(MeasureError(told), "");
  EXPECT_EQ(MeasureError([](auto& r) { r.mutable_board(); }), "") << "nothing is known";
}

TEST_F(ResultCheckTest, ImpossibleBoardIsAFailure) {
  const auto error = [this](const std::function<void(v1::BoardReport&)>& change) {
    return MeasureError([&](auto& r) { change(*r.mutable_board()); });
  };
  EXPECT_THAT(error([](auto& b) { b.mutable_info()->set_model(std::string(65, 'x')); }),
              HasSubstr("of its board, a text"));
  EXPECT_THAT(error([](auto& b) { b.mutable_info()->set_l4t("32\n7"); }), HasSubstr("a text"));
  EXPECT_THAT(error([](auto& b) { b.mutable_after()->set_power_mode("\x1b[2J"); }),
              HasSubstr("a text"));
  EXPECT_THAT(error([](auto& b) { b.mutable_before()->add_throttles()->set_name("\x01"); }),
              HasSubstr("a text"));
  EXPECT_THAT(error([](auto& b) { b.mutable_info()->set_gpu_maximum_megahertz(kNan); }),
              HasSubstr("a clock"));
  EXPECT_THAT(error([](auto& b) { b.mutable_during()->set_cpu_lowest_megahertz(-1); }),
              HasSubstr("a clock"));
  EXPECT_THAT(error([](auto& b) { b.mutable_during()->set_samples(-1); }), HasSubstr("samples"));
  EXPECT_THAT(error([](auto& b) { b.mutable_during()->set_hottest_celsius(kInfinity); }),
              HasSubstr("a temperature"));
  EXPECT_THAT(error([](auto& b) { b.mutable_before()->set_gpu_load(1.5); }),
              HasSubstr("gpu_load"));
  EXPECT_THAT(error([](auto& b) { b.mutable_before()->add_zones()->set_celsius(kNan); }),
              HasSubstr("a temperature"));
  EXPECT_THAT(error([](auto& b) { b.mutable_after()->add_rails()->set_watts(-3); }),
              HasSubstr("a rail's power"));
  EXPECT_THAT(error([](auto& b) {
                for (int i = 0; i < 33; ++i) b.mutable_before()->add_zones();
              }),
              HasSubstr("count of parts"));
  EXPECT_THAT(error([](auto& b) { b.mutable_energy(); }), HasSubstr("energy.readings"));
  EXPECT_THAT(error([](auto& b) {
                b.mutable_energy()->set_readings(1);
                b.mutable_energy()->set_images_per_joule(kInfinity);
              }),
              HasSubstr("images_per_joule"));
  EXPECT_THAT(error([](auto& b) { b.set_cooling_seconds(kNan); }), HasSubstr("cooling"));
}

TEST_F(ResultCheckTest, ImpossibleProfileIsAFailure) {
  const auto with = [](std::vector<std::pair<std::string, double>> times) {
    return [times](auto& r) {
      r.clear_profile();
      for (const auto& [layer, milliseconds] : times) {
        r.add_profile()->set_layer(layer);
        r.mutable_profile()->rbegin()->set_milliseconds(milliseconds);
      }
    };
  };
  EXPECT_THAT(MeasureError(with({{"a", 1}})), HasSubstr("nobody wanted"));
  measure_.mutable_measure()->mutable_protocol()->set_profile(true);
  EXPECT_THAT(MeasureError(with({})), HasSubstr("lacks the profile"));
  EXPECT_EQ(MeasureError(with({{"a", 1}, {"b", 0}})), "");
  EXPECT_THAT(MeasureError(with({{"a", 1}, {"a", 1}})), HasSubstr("twice"));
  EXPECT_THAT(MeasureError(with({{"a", -1}})), HasSubstr("profile.milliseconds"));
  EXPECT_THAT(MeasureError(with({{"a", kNan}})), HasSubstr("profile.milliseconds"));
  EXPECT_THAT(MeasureError(with({{"a", 0}})), HasSubstr("no time"));
  EXPECT_THAT(MeasureError(with({{"", 1}})), HasSubstr("profile.layer"));
}

TEST_F(ResultCheckTest, MeasurementOnAnotherDeviceIsAFailure) {
  measure_.mutable_measure()->set_device_class("board/named");
  EXPECT_THAT(MeasureError([](auto&) {}), HasSubstr("not on board/named"));
}

TEST_F(ResultCheckTest, MeasurementInAnotherSettingThanTheAncestorsIsAFailure) {
  pinned_ = GoodAnswer(measure_, agent_.info, *artifacts_).measure().setting();
  EXPECT_EQ(MeasureError([](auto&) {}), "");
  EXPECT_THAT(MeasureError([](auto& r) { r.mutable_setting()->set_precision("fp16"); }),
              HasSubstr("the ancestor with"));
}

TEST_F(ResultCheckTest, InvalidMeasurementIsAboutTheBoard) {
  const Report report = Judge(measure_, [](v1::AttemptResult& r) {
    r.mutable_measure()->Clear();
    r.mutable_measure()->set_verdict(v1::MeasureResult::INVALID);
    r.mutable_measure()->add_reasons("it throttled");
  });
  EXPECT_EQ(report.kind, Report::Kind::kInvalidMeasurement);
  EXPECT_THAT(report.error, HasSubstr("it throttled"));
}

TEST_F(ResultCheckTest, LongErrorsAreCut) {
  v1::AttemptResult result = FailureAnswer(std::string(100'000, 'x'));
  EXPECT_LE(JudgeResult(train_, result, dataset_, nullptr, *artifacts_).error.size(), 4096u);
}

TEST_F(ResultCheckTest, LongErrorsAreCutBetweenCharacters) {
  for (const std::string before : {"", "x"}) {  // One of them has a character at the limit.
    std::string message = before;
    for (int i = 0; i < 5000; ++i) message += "é";
    v1::Experiment told;
    told.set_reason(JudgeResult(train_, FailureAnswer(message), dataset_, nullptr, *artifacts_).error);
    EXPECT_GT(told.reason().size(), 4000u);
    EXPECT_TRUE(v1::Experiment().ParseFromString(told.SerializeAsString())) << "is no UTF-8";
  }
}

}  // namespace
}  // namespace squish

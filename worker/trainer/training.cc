#include "worker/trainer/training.h"

#include "common/torch/aten.h"

#include <c10/core/InferenceMode.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/random.h"
#include "common/base/sha256.h"
#include "common/base/status_macros.h"
#include "common/torch/numerics.h"
#include "common/torch/torch_network.h"
#include "common/torch/torch_status.h"
#include "common/weights/checkpoint.h"
#include "worker/trainer/batches.h"
#include "worker/trainer/evaluation.h"
#include "worker/trainer/feed.h"
#include "worker/trainer/loss.h"
#include "worker/trainer/schedule.h"
#include "worker/trainer/sgd.h"
#include "worker/trainer/strengths.h"

namespace squish {
namespace {

constexpr absl::Duration kReportInterval = absl::Seconds(1);
// A picture's forward and backward pass cost about as much as three forward passes.
constexpr double kStepWeight = 3.0;
// The same without gradients of weights, and with sums over all outputs.
constexpr double kStrengthWeight = 3.0;

// The head's filters as one number each, before whatever follows the head: a ReLU
// there hides how far below zero a class is, and a filter that is below zero for
// every picture could learn nothing through it.
struct Answers {
  at::Tensor logits;
  at::Tensor head_means;
};

Answers AnswersOf(const TorchNetwork& network, const at::Tensor& pictures, ForwardOptions options,
                  bool with_head) {
  Answers answers;
  if (with_head) {
    options.observe = [&](int layer, const at::Tensor& output) {
      if (layer != network.genome().head()) return;
      answers.head_means = output.to(at::kFloat).mean({2, 3});
    };
  }
  answers.logits = network.Forward(pictures, options);
  return answers;
}

// Tells the job from every other, whoever is given it with whatever checkpoint.
std::string TaskDigest(v1::TrainJob job) {
  job.clear_checkpoint();
  return Sha256Hex(job.SerializeAsString());
}

class Training {
 public:
  // Of one training, what is around it. All outlive it; `keeper` may be null.
  struct Surroundings {
    Clock& clock;
    const ProgressReporter& report;
    CheckpointKeeper* keeper;
  };

  Training(const TrainingTask& task, const DatasetCache& data, const at::Device& device,
           std::string numerics_class, TorchNetwork student, std::optional<TorchNetwork> teacher,
           const Surroundings& around)
      : recipe_(task.job.recipe()),
        seed_(task.job.seed()),
        task_(TaskDigest(task.job)),
        numerics_class_(std::move(numerics_class)),
        student_(std::move(student)),
        teacher_(std::move(teacher)),
        train_(data, v1::TRAIN, task.network.preprocessing, device),
        selection_(data, v1::SELECTION, task.network.preprocessing, device),
        schedule_(recipe_, train_.count()),
        sgd_(student_, recipe_, task.job.keep_zeros()),
        strength_images_(std::min(task.job.strength_images(), train_.count())),
        around_(around) {}

  // From the checkpoint on, if it has one that fits. Fills `result`; false when the network
  // diverged.
  bool Run(const std::string& checkpoint, v1::TrainResult& result) {
    Report(checkpoint.empty() ? "starting" : GoOnFrom(checkpoint));
    if (schedule_.steps() > 0 && !TakeSteps(result)) return false;
    return EvaluateInto(result) && (strength_images_ == 0 || FindStrengths());
  }

  const TorchNetwork& student() const { return student_; }
  // After Run.
  const std::optional<TensorMap>& strengths() const { return strengths_; }

 private:
  // Losses of the last epoch's worth of steps.
  class RecentLosses {
   public:
    void Add(double loss, int64_t keep) {
      losses_.push_back(loss);
      if (static_cast<int64_t>(losses_.size()) > keep) losses_.pop_front();
    }
    double Mean() const {
      double sum = 0;
      for (const double loss : losses_) sum += loss;
      return sum / static_cast<double>(losses_.size());
    }
    std::vector<double> All() const { return {losses_.begin(), losses_.end()}; }
    void Restore(const std::vector<double>& losses) { losses_ = {losses.begin(), losses.end()}; }

   private:
    std::deque<double> losses_;
  };

  // As Run, all but the evaluation.
  bool TakeSteps(v1::TrainResult& result) {
    Feed feed(train_, recipe_, seed_, steps_done_, schedule_.steps());
    while (steps_done_ < schedule_.steps()) {
      const absl::Duration start = around_.clock.Steady();
      const double loss = Step(steps_done_, feed.Next());
      step_seconds_ += absl::ToDoubleSeconds(around_.clock.Steady() - start);
      result.set_step_seconds(step_seconds_);
      if (!std::isfinite(loss)) return false;
      KeepTrack(steps_done_++, loss);
      KeepCheckpointInTime();
    }
    result.set_final_training_loss(epoch_losses_.Mean());
    return true;
  }

  // Takes up what the checkpoint holds, unless it does not fit; says which, for people.
  std::string GoOnFrom(const std::string& checkpoint) {
    const absl::StatusOr<TrainingState> state = ReadCheckpoint(checkpoint);
    if (!state.ok()) return absl::StrCat("starting anew: ", state.status().message());
    if (state->task != task_) return "starting anew: the checkpoint is of another task";
    if (state->numerics_class != numerics_class_) {
      return "starting anew: the checkpoint is of another numerics class";
    }
    if (state->step > schedule_.steps() || !sgd_.Restore({state->parameters, state->velocity})) {
      return "starting anew: the checkpoint is of another network";
    }
    steps_done_ = state->step;
    epoch_losses_.Restore(state->losses);
    work_done_ = WorkOfSteps();
    resumed_at_ = work_done_ / AllWork();
    return absl::StrCat("going on from step ", steps_done_, " of ", schedule_.steps());
  }

  void KeepCheckpointInTime() {
    if (around_.keeper == nullptr || steps_done_ == 0 || !around_.keeper->IsDue()) return;
    Sgd::State state = sgd_.Save();
    v1::Checkpoint what;
    what.set_step(steps_done_);
    what.set_fraction(WorkOfSteps() / AllWork());
    what.set_numerics_class(numerics_class_);
    around_.keeper->Keep(
        SerializeCheckpoint({task_, numerics_class_, steps_done_, std::move(state.parameters),
                             std::move(state.velocity), epoch_losses_.All()}),
        what);
  }

  bool Bf16() const { return recipe_.precision() == v1::Recipe::BF16; }

  at::Tensor Loss(const Batch& batch, const RandomStream& dropout) const {
    const ForwardOptions options{
        .dropout = &dropout,
        .dropout_permille = static_cast<int>(std::lround(1000 * recipe_.dropout())),
        .bf16 = Bf16(),
        .observe = {}};
    const Answers answers =
        AnswersOf(student_, batch.pictures, options, /*with_head=*/teacher_.has_value());
    const at::Tensor loss = CrossEntropy(answers.logits, batch.labels, recipe_.label_smoothing());
    if (!teacher_.has_value()) return loss;
    at::Tensor taught;
    {
      const c10::NoGradGuard no_gradients;
      const ForwardOptions plain{.bf16 = Bf16(), .observe = {}};
      taught = AnswersOf(*teacher_, batch.pictures, plain, /*with_head=*/true).head_means;
    }
    const v1::Distillation& distillation = recipe_.distillation();
    return (1 - distillation.weight()) * loss +
           distillation.weight() *
               DistillationLoss(answers.head_means, taught, distillation.temperature());
  }

  // The loss before the step; not finite when the network diverged.
  double Step(int64_t step, const Batch& batch) {
    const RandomStream dropout(RandomDomain::kDropout, {seed_, static_cast<uint64_t>(step)});
    const at::Tensor loss = Loss(batch, dropout);
    const double value = loss.item<double>();
    if (!std::isfinite(value)) return value;
    const double norm = sgd_.Step(torch::autograd::grad({loss}, student_.parameters()),
                                  schedule_.LearningRate(step));
    return std::isfinite(norm) ? value : norm;
  }

  double Epoch(int64_t steps) const {
    return static_cast<double>(steps) * recipe_.batch() / train_.count();
  }

  void KeepTrack(int64_t step, double loss) {
    const int64_t keep = std::max<int64_t>(1, train_.count() / recipe_.batch());
    epoch_losses_.Add(loss, keep);
    work_done_ += kStepWeight * recipe_.batch();
    const bool epoch_ends = std::floor(Epoch(step)) != std::floor(Epoch(step + 1));
    if (!epoch_ends && around_.clock.Steady() - reported_ < kReportInterval) return;
    Report(absl::StrFormat("epoch %d of %d, loss %.3f", static_cast<int>(Epoch(step)) + 1,
                           static_cast<int>(std::ceil(recipe_.epochs())), epoch_losses_.Mean()));
  }

  bool EvaluateInto(v1::TrainResult& result) {
    const double before = work_done_;
    const Evaluation evaluation = Evaluate(student_, selection_, [&](int pictures) {
      work_done_ = before + pictures;
      ReportInTime("evaluating");
    });
    result.set_selection_accuracy(evaluation.accuracy);
    result.set_selection_log_loss(evaluation.log_loss);
    return evaluation.finite && student_.flat().isfinite().all().item<bool>();
  }

  // False when some is not finite.
  bool FindStrengths() {
    const double before = work_done_;
    strengths_ = ComputeStrengths(student_, train_, strength_images_, [&](int pictures) {
      work_done_ = before + kStrengthWeight * pictures;
      ReportInTime("finding the filters' strengths");
    });
    return strengths_.has_value();
  }

  double WorkOfSteps() const {
    return kStepWeight * static_cast<double>(steps_done_) * recipe_.batch();
  }

  double AllWork() const {
    return kStepWeight * static_cast<double>(schedule_.images()) + selection_.count() +
           kStrengthWeight * strength_images_;
  }

  void ReportInTime(std::string note) {
    if (around_.clock.Steady() - reported_ >= kReportInterval) Report(std::move(note));
    KeepCheckpointInTime();
  }

  void Report(std::string note) {
    reported_ = around_.clock.Steady();
    v1::TrainerEvent::Progress progress;
    progress.set_fraction(work_done_ / AllWork());
    progress.set_note(std::move(note));
    progress.set_step_seconds(step_seconds_);
    progress.set_resumed_at(resumed_at_);
    around_.report(progress);
  }

  const v1::Recipe recipe_;
  const uint64_t seed_;
  const std::string task_;
  const std::string numerics_class_;
  TorchNetwork student_;
  const std::optional<TorchNetwork> teacher_;
  const Batches train_;
  const Batches selection_;
  const Schedule schedule_;
  Sgd sgd_;
  const int strength_images_;  // So many are looked at.
  const Surroundings around_;

  int64_t steps_done_ = 0;
  RecentLosses epoch_losses_;
  std::optional<TensorMap> strengths_;
  double step_seconds_ = 0;
  double work_done_ = 0;  // In forward passes of one picture.
  double resumed_at_ = 0;  // A fraction.
  absl::Duration reported_;
};

absl::StatusOr<Trained> Train(const TrainingTask& task, const DatasetCache& data,
                              const Training::Surroundings& around) {
  const bool cuda = task.job.device() == v1::TrainingSpec::CUDA;
  const at::Device device(cuda ? at::kCUDA : at::kCPU);
  SetTorchThreads(task.job.threads());
  SQUISH_ASSIGN_OR_RETURN(
      TorchNetwork student,
      TorchNetwork::Create(task.network.genome, task.network.weights, device));
  std::optional<TorchNetwork> teacher;
  if (task.teacher.has_value()) {
    SQUISH_ASSIGN_OR_RETURN(
        teacher, TorchNetwork::Create(task.teacher->genome, task.teacher->weights, device));
  }
  const std::string numerics_class =
      NumericsClass(task.job.threads(), cuda, task.job.recipe().precision());
  Training training(task, data, device, numerics_class, std::move(student), std::move(teacher),
                    around);
  Trained trained;
  const bool converged = training.Run(task.checkpoint, trained.result);
  const Schedule schedule(task.job.recipe(), data.Count(v1::TRAIN));
  trained.result.set_images_seen(schedule.images());
  trained.result.set_numerics_class(numerics_class);
  trained.result.set_outcome(converged ? v1::TrainResult::TRAINED : v1::TrainResult::DIVERGED);
  if (!converged) {
    trained.result.clear_selection_accuracy();
    trained.result.clear_selection_log_loss();
    trained.result.clear_final_training_loss();
    return trained;
  }
  trained.network = Network{task.network.genome, training.student().Weights(),
                            task.network.class_names, task.network.preprocessing,
                            task.network.provenance};
  trained.strengths = training.strengths();
  trained.result.set_weights_digest(WeightsDigest(trained.network->weights));
  return trained;
}

}  // namespace

absl::StatusOr<Trained> RunTraining(const TrainingTask& task, const DatasetCache& data,
                                    Clock& clock, const ProgressReporter& report,
                                    CheckpointKeeper* keeper) {
  SQUISH_RETURN_IF_ERROR(CheckTask(task, data));
  return CatchTorchErrors([&] { return Train(task, data, {clock, report, keeper}); });
}

}  // namespace squish

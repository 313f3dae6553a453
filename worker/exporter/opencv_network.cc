#include "worker/exporter/opencv_network.h"

#include <algorithm>
#include <opencv2/core.hpp>
#include <opencv2/core/utils/logger.hpp>
#include <opencv2/dnn.hpp>
#include <utility>

#include "absl/strings/str_cat.h"

namespace squish {

struct OpenCvNetwork::State {
  cv::dnn::Net net;
};

void PrepareOpenCvProcess() {
  cv::setNumThreads(1);
  // Its importer reports errors by this, too, beside the exception that we report.
  cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
}

std::string OpenCvName() { return absl::StrCat("OpenCV dnn ", cv::getVersionString()); }

OpenCvNetwork::OpenCvNetwork(std::unique_ptr<State> state) : state_(std::move(state)) {}
OpenCvNetwork::OpenCvNetwork(OpenCvNetwork&&) noexcept = default;
OpenCvNetwork& OpenCvNetwork::operator=(OpenCvNetwork&&) noexcept = default;
OpenCvNetwork::~OpenCvNetwork() = default;

absl::StatusOr<OpenCvNetwork> OpenCvNetwork::FromOnnx(absl::string_view file) {
  try {
    auto state = std::make_unique<State>();
    state->net = cv::dnn::readNetFromONNX(file.data(), file.size());
    state->net.setPreferableBackend(cv::dnn::DNN_BACKEND_OPENCV);
    state->net.setPreferableTarget(cv::dnn::DNN_TARGET_CPU);
    return OpenCvNetwork(std::move(state));
  } catch (const cv::Exception& error) {
    return absl::InvalidArgumentError(absl::StrCat("OpenCV cannot read it: ", error.err));
  }
}

absl::StatusOr<std::vector<float>> OpenCvNetwork::Run(const Tensor& pictures, int batch) {
  const int count = pictures.shape.size() == 4 ? static_cast<int>(pictures.shape[0]) : 0;
  if (count < 1 || batch < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("there are ", count, " pictures to compute in batches of ", batch));
  }
  const size_t picture_size = pictures.values.size() / count;
  const int sides[] = {batch, static_cast<int>(pictures.shape[1]),
                       static_cast<int>(pictures.shape[2]), static_cast<int>(pictures.shape[3])};
  std::vector<float> outputs;
  try {
    for (int first = 0; first < count; first += batch) {
      cv::Mat blob(4, sides, CV_32F);
      for (int i = 0; i < batch; ++i) {
        const float* picture = pictures.values.data() + ((first + i) % count) * picture_size;
        std::copy_n(picture, picture_size, blob.ptr<float>() + i * picture_size);
      }
      state_->net.setInput(blob);
      const cv::Mat rows = state_->net.forward();
      if (rows.type() != CV_32F || rows.total() % batch != 0 || !rows.isContinuous()) {
        return absl::InternalError("OpenCV's output is no row of numbers for each picture");
      }
      const size_t row = rows.total() / batch;
      const size_t wanted = row * std::min(batch, count - first);
      outputs.insert(outputs.end(), rows.ptr<float>(), rows.ptr<float>() + wanted);
    }
  } catch (const cv::Exception& error) {
    return absl::InternalError(absl::StrCat("OpenCV cannot compute it: ", error.err));
  }
  return outputs;
}

}  // namespace squish

// Classifies a picture with an exported network and nothing but OpenCV.
//
//   classify FOLDER PICTURE
//
// FOLDER holds model.onnx, labels.txt and preprocessing.json. Prints the most probable
// class and its probability.
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <opencv2/core.hpp>
#include <opencv2/dnn.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <stdexcept>
#include <string>
#include <vector>

// What preprocessing.json says.
struct Preprocessing {
  int size;
  std::string resize;
  cv::Scalar mean, std;  // In RGB order, of pixels in [0, 1].
};

Preprocessing ReadPreprocessing(const std::string& path) {
  const cv::FileStorage json(path, cv::FileStorage::READ | cv::FileStorage::FORMAT_JSON);
  if (!json.isOpened()) throw std::runtime_error("cannot read " + path);
  Preprocessing what;
  json["input_size"] >> what.size;
  json["resize"] >> what.resize;
  for (int i = 0; i < 3; ++i) {
    what.mean[i] = static_cast<double>(json["mean"][i]);
    what.std[i] = static_cast<double>(json["std"][i]);
  }
  if (what.size < 1 || static_cast<std::string>(json["channel_order"]) != "RGB") {
    throw std::runtime_error(path + " is not understood");
  }
  return what;
}

std::vector<std::string> ReadLines(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot read " + path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

// By area where a side shrinks, then linearly where one grows.
cv::Mat Resized(cv::Mat picture, cv::Size to) {
  const cv::Size smaller(std::min(picture.cols, to.width), std::min(picture.rows, to.height));
  cv::resize(picture, picture, smaller, 0, 0, cv::INTER_AREA);
  if (smaller != to) cv::resize(picture, picture, to, 0, 0, cv::INTER_LINEAR);
  return picture;
}

// SQUASH: both sides to `size`. SHORT_SIDE_CENTER_CROP: the short side, then the middle.
cv::Mat Square(const cv::Mat& picture, int size, const std::string& rule) {
  if (rule == "SQUASH") return Resized(picture, {size, size});
  if (rule != "SHORT_SIDE_CENTER_CROP") throw std::runtime_error("unknown resize: " + rule);
  const double scale = static_cast<double>(size) / std::min(picture.cols, picture.rows);
  const cv::Size whole(cvFloor(picture.cols * scale + 0.5), cvFloor(picture.rows * scale + 0.5));
  const cv::Mat out = Resized(picture, whole);
  return out(cv::Rect((out.cols - size) / 2, (out.rows - size) / 2, size, size));
}

void Classify(const std::string& folder, const std::string& picture_path) {
  const Preprocessing what = ReadPreprocessing(folder + "/preprocessing.json");
  const std::vector<std::string> labels = ReadLines(folder + "/labels.txt");
  cv::dnn::Net net = cv::dnn::readNetFromONNX(folder + "/model.onnx");

  // Three channels of eight bits, turned as its EXIF data say.
  const cv::Mat picture = cv::imread(picture_path, cv::IMREAD_COLOR);
  if (picture.empty()) throw std::runtime_error("cannot read the picture " + picture_path);
  cv::Mat input = Square(picture, what.size, what.resize);
  cv::cvtColor(input, input, cv::COLOR_BGR2RGB);
  input.convertTo(input, CV_32F, 1.0 / 255);
  cv::subtract(input, what.mean, input);
  cv::divide(input, what.std, input);

  net.setInput(cv::dnn::blobFromImage(input));
  const cv::Mat logits = net.forward();
  if (logits.total() != labels.size()) throw std::runtime_error("labels.txt is not the model's");
  cv::Point best;
  double largest = 0;
  cv::minMaxLoc(logits.reshape(1, 1), nullptr, &largest, nullptr, &best);
  cv::Mat powers;  // The model gives logits: softmax makes probabilities of them.
  cv::exp(logits - largest, powers);
  std::printf("%s %.4f\n", labels[best.x].c_str(), 1.0 / cv::sum(powers)[0]);
}

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: classify FOLDER PICTURE\n");
    return 2;
  }
  try {
    Classify(argv[1], argv[2]);
  } catch (const std::exception& error) {  // cv::Exception is one.
    std::fprintf(stderr, "classify: %s\n", error.what());
    return 1;
  }
}

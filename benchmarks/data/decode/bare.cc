// squish-decode-bare: what decoding a folder of JPEGs costs at least. Every core reads
// files, decodes them with libjpeg-turbo and resizes them with OpenCV; nothing is kept, and
// nothing is known of them afterwards.
//
//   squish-decode-bare --side 64 DIR      prints: photos seconds
#include <cstdio>
// libjpeg needs <cstdio> before it.
#include <jpeglib.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
#include <string>
#include <thread>
#include <vector>

#include "common/base/file.h"

namespace squish {
namespace {

// Decodes as RGB, at 1/8, 1/4 or 1/2 where both sides stay at least `side`. What is wrong
// with a file ends the program, as is libjpeg's way.
cv::Mat DecodeJpeg(const std::string& bytes, int side) {
  jpeg_decompress_struct decoder;
  jpeg_error_mgr errors;
  decoder.err = jpeg_std_error(&errors);
  jpeg_create_decompress(&decoder);
  jpeg_mem_src(&decoder, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  jpeg_read_header(&decoder, TRUE);
  decoder.out_color_space = JCS_RGB;
  const int short_side = static_cast<int>(std::min(decoder.image_width, decoder.image_height));
  decoder.scale_num = 1;
  for (decoder.scale_denom = 8; decoder.scale_denom > 1; decoder.scale_denom /= 2) {
    if (short_side / static_cast<int>(decoder.scale_denom) >= side) break;
  }
  jpeg_start_decompress(&decoder);
  cv::Mat picture(static_cast<int>(decoder.output_height), static_cast<int>(decoder.output_width),
                  CV_8UC3);
  while (decoder.output_scanline < decoder.output_height) {
    JSAMPROW row = picture.ptr(static_cast<int>(decoder.output_scanline));
    jpeg_read_scanlines(&decoder, &row, 1);
  }
  jpeg_finish_decompress(&decoder);
  jpeg_destroy_decompress(&decoder);
  return picture;
}

void Work(const std::vector<std::string>& paths, int side, std::atomic<size_t>& next) {
  cv::Mat resized;
  for (size_t i = next++; i < paths.size(); i = next++) {
    const cv::Mat picture = DecodeJpeg(ReadFile(paths[i]).value(), side);
    if (picture.cols == side && picture.rows == side) continue;
    const bool shrinks = picture.cols >= side && picture.rows >= side;
    cv::resize(picture, resized, {side, side}, 0, 0, shrinks ? cv::INTER_AREA : cv::INTER_LINEAR);
  }
}

int Main(int argc, char** argv) {
  CLI::App app("Decodes all JPEGs of a folder on all cores and keeps nothing");
  int side = 64;
  std::string folder;
  app.add_option("--side", side, "Of the resized pictures")->check(CLI::Range(8, 1024));
  app.add_option("DIR", folder)->required()->check(CLI::ExistingDirectory);
  CLI11_PARSE(app, argc, argv);

  cv::setNumThreads(1);
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) paths.push_back(entry.path().string());
  }
  const auto start = std::chrono::steady_clock::now();
  std::atomic<size_t> next = 0;
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < std::max(1u, std::thread::hardware_concurrency()); ++i) {
    threads.emplace_back([&] { Work(paths, side, next); });
  }
  for (std::thread& thread : threads) thread.join();
  const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
  std::cout << paths.size() << " " << spent.count() << "\n";
  return 0;
}

}  // namespace
}  // namespace squish

int main(int argc, char** argv) { return squish::Main(argc, argv); }

#include "common/dataset/jpeg.h"

#include <csetjmp>
#include <cstdio>
// libjpeg's headers need <cstdio> before them.
#include <jpeglib.h>
#include <jerror.h>

namespace squish {
namespace {

struct Errors {
  jpeg_error_mgr base;  // First: libjpeg knows only this.
  std::jmp_buf escape;
  bool damaged = false;
};

[[noreturn]] void Escape(j_common_ptr decoder) {
  std::longjmp(reinterpret_cast<Errors*>(decoder->err)->escape, 1);
}

// Warnings of data that was made up; others tell of harmless oddities.
void Listen(j_common_ptr decoder, int level) {
  if (level >= 0) return;
  switch (decoder->err->msg_code) {
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
    case JWRN_JPEG_EOF:
    case JWRN_MUST_RESYNC:
      reinterpret_cast<Errors*>(decoder->err)->damaged = true;
      break;
    default:
      break;
  }
}

void BeSilent(j_common_ptr) {}

// Frees what libjpeg holds, also where room cannot be made.
struct Decoder {
  Decoder() = default;
  ~Decoder() { jpeg_destroy_decompress(&decoder); }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;
  jpeg_decompress_struct decoder = {};  // Of zeros there is nothing to free.
};

}  // namespace

absl::Status DecodeJpeg(absl::string_view file, int reduction,
                        absl::FunctionRef<uint8_t*(int width, int height)> make_room) {
  Errors errors;
  Decoder owner;
  jpeg_decompress_struct& decoder = owner.decoder;
  decoder.err = jpeg_std_error(&errors.base);
  errors.base.error_exit = Escape;
  errors.base.emit_message = Listen;
  errors.base.output_message = BeSilent;
  // Nothing below has a destructor that a jump would pass over.
  if (setjmp(errors.escape) != 0) {
    if (errors.base.msg_code == JERR_OUT_OF_MEMORY) {
      return absl::ResourceExhaustedError("there is not enough memory to decode it");
    }
    return absl::InvalidArgumentError("it is damaged");
  }
  jpeg_create_decompress(&decoder);
  jpeg_mem_src(&decoder, reinterpret_cast<const unsigned char*>(file.data()), file.size());
  jpeg_read_header(&decoder, TRUE);
  decoder.out_color_space = JCS_RGB;
  decoder.scale_num = 1;
  decoder.scale_denom = static_cast<unsigned>(reduction);
  jpeg_start_decompress(&decoder);
  const size_t row_bytes = size_t{3} * decoder.output_width;
  uint8_t* const pixels = make_room(static_cast<int>(decoder.output_width),
                                    static_cast<int>(decoder.output_height));
  while (decoder.output_scanline < decoder.output_height) {
    JSAMPROW row = pixels + decoder.output_scanline * row_bytes;
    jpeg_read_scanlines(&decoder, &row, 1);
  }
  jpeg_finish_decompress(&decoder);
  return errors.damaged ? absl::InvalidArgumentError("it is damaged") : absl::OkStatus();
}

}  // namespace squish

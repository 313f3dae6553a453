// The genome: a network's architecture as a graph of layers, with the lineage of
// every surviving filter.
//
//   Create / FromJson ──► Genome (immutable, checked) ──► Json, digests
//                              │
//                 ComputeShapes(genome, input) ──► ComputeCost (shapes.h, cost.h)
//
// A genome has no input size: it is fully convolutional, and the size belongs to
// the data. It has no weights: those are in Network (common/weights).
//
// Immutable after creation, cheap to move; safe to share between threads.
#ifndef SQUISH_COMMON_GENOME_GENOME_H_
#define SQUISH_COMMON_GENOME_GENOME_H_

#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace squish {

// --- Operations -------------------------------------------------------------

// The picture: `channels` planes. Exactly one, always layer 0.
struct Input {
  int channels = 3;
  friend bool operator==(const Input&, const Input&) = default;
};

// A square convolution with bias; kernel and stride 1 to 64, padding at most half
// the kernel. Filter i is the cluster that had index `lineage[i]` in the ancestor's
// layer of the same name; lineage is strictly increasing, and its size is the filter
// count.
struct Conv2d {
  int kernel = 1;
  int stride = 1;
  int padding = 0;
  std::vector<int> lineage;
  int filters() const { return static_cast<int>(lineage.size()); }
  friend bool operator==(const Conv2d&, const Conv2d&) = default;
};

struct Relu {
  friend bool operator==(const Relu&, const Relu&) = default;
};

// Ceil mode as in torchvision: a last window may hang over the edge, but it must
// start inside the input. Kernel and stride 1 to 64.
struct MaxPool {
  int kernel = 3;
  int stride = 2;
  friend bool operator==(const MaxPool&, const MaxPool&) = default;
};

// Along channels, in the order of the inputs.
struct Concat {
  friend bool operator==(const Concat&, const Concat&) = default;
};

struct GlobalAveragePool {
  friend bool operator==(const GlobalAveragePool&, const GlobalAveragePool&) = default;
};

// Training only. The probability is in thousandths (0 to 999), so that JSON has
// integers only. It is the architecture's own; a training recipe's takes its place.
struct Dropout {
  int permille = 500;
  friend bool operator==(const Dropout&, const Dropout&) = default;
};

using Operation = std::variant<Input, Conv2d, Relu, MaxPool, Concat, GlobalAveragePool, Dropout>;

struct Layer {
  // Unique: [A-Za-z0-9_.], 1 to 64. A convolution's tensors are NAME.weight
  // (filters × inputs × kernel × kernel) and NAME.bias, torchvision's names.
  std::string name;
  // Indices of earlier layers: none for Input, at least two for Concat, else one.
  std::vector<int> inputs;
  Operation operation;
  friend bool operator==(const Layer&, const Layer&) = default;
};

// Filters that live or die together: filter i of every member layer is one cluster.
// A plain convolution is a group of its own; residual adds and depthwise pairs
// will have several members.
struct FilterGroup {
  std::vector<int> layers;  // Convolutions, ascending; the first names the group.
  bool prunable = true;     // False for the head, whose filters are the classes.
};

// --- Genome -----------------------------------------------------------------

class Genome {
 public:
  // Checks everything that can be wrong: names, order, arity, ranges, lineage, one
  // Input, one output (the last layer, used by nobody), every layer used, at most
  // 4,096 layers, filters at most 65,536 a layer, 2^18 channels, 2^30 parameters and
  // 4 MiB of JSON. The output must be 1×1 (a GlobalAveragePool lies before it), with
  // the last convolution's filters, the classes, as its channels. INVALID_ARGUMENT
  // names the layer.
  static absl::StatusOr<Genome> Create(std::vector<Layer> layers);

  // Reads canonical JSON. Only canonical text is accepted (the digest of what was
  // read is the digest of the text). INVALID_ARGUMENT says what is wrong; hostile
  // input of any kind (depth, size, numbers) is refused without harm.
  static absl::StatusOr<Genome> FromJson(absl::string_view json);

  // Canonical JSON: one line, fixed key order, integers only.
  const std::string& Json() const { return json_; }

  // SHA-256 (hex) of Json().
  const std::string& Digest() const { return digest_; }

  // SHA-256 (hex) of Json() with every lineage replaced by its filter count.
  const std::string& ArchitectureDigest() const { return architecture_digest_; }

  const std::vector<Layer>& layers() const { return layers_; }
  const Layer& layer(int index) const { return layers_[index]; }
  int size() const { return static_cast<int>(layers_.size()); }

  // The operation of a convolution. `index` must be one.
  const Conv2d& conv(int index) const { return std::get<Conv2d>(layers_[index].operation); }
  bool IsConv(int index) const { return std::holds_alternative<Conv2d>(layers_[index].operation); }

  // Indices of all convolutions, in order.
  const std::vector<int>& convs() const { return convs_; }

  // All groups, by first layer.
  const std::vector<FilterGroup>& groups() const { return groups_; }

  // Channels that come out of a layer.
  int OutputChannels(int index) const { return output_channels_[index]; }

  // Channels that go into a layer (of all inputs together).
  int InputChannels(int index) const;

  // Where each channel that leaves layer `index` comes from.
  struct ChannelOrigin {
    int layer;   // A convolution, or 0 for the picture.
    int filter;  // Position in that convolution (not lineage), or picture channel.
    friend bool operator==(const ChannelOrigin&, const ChannelOrigin&) = default;
  };
  std::vector<ChannelOrigin> OutputOrigins(int index) const;
  // The same for what goes into layer `index`.
  std::vector<ChannelOrigin> InputOrigins(int index) const;

  // The head: the last convolution; its filters are the classes.
  int head() const { return convs_.back(); }
  int classes() const { return conv(head()).filters(); }

  // The genome in which convolution l keeps the filters at positions `keep[l]`
  // (ascending). `keep` has an entry for every layer, an empty one standing for
  // "all". INVALID_ARGUMENT on a bad position, filters of a layer that has none, a
  // head that loses classes, or members of a group that keep different filters.
  absl::StatusOr<Genome> Prune(const std::vector<std::vector<int>>& keep) const;

  friend bool operator==(const Genome& a, const Genome& b) { return a.json_ == b.json_; }

 private:
  Genome() = default;

  void AppendOutputOrigins(int index, std::vector<ChannelOrigin>& origins) const;

  std::vector<Layer> layers_;
  std::vector<int> convs_;
  std::vector<FilterGroup> groups_;
  std::vector<int> output_channels_;
  std::string json_;
  std::string digest_;
  std::string architecture_digest_;
};

}  // namespace squish

#endif  // SQUISH_COMMON_GENOME_GENOME_H_

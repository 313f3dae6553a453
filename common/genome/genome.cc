#include "common/genome/genome.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/sha256.h"
#include "common/base/status.h"
#include "common/base/status_macros.h"
#include "common/genome/filter_groups.h"
#include "common/genome/genome_checks.h"
#include "common/genome/genome_json.h"

namespace squish {
namespace {

absl::Status CheckKeep(const std::vector<int>& keep, int filters) {
  int previous = -1;
  for (const int position : keep) {
    if (position <= previous || position >= filters) {
      return absl::InvalidArgumentError(absl::StrCat(
          "position ", position, " to keep is not above ", previous, " and below ", filters));
    }
    previous = position;
  }
  return absl::OkStatus();
}

// Convolutions of one group are pruned alike, and a group that must stay, stays.
absl::Status CheckGroup(const FilterGroup& group, const Genome& genome,
                        const std::vector<std::vector<int>>& keep) {
  const int first = group.layers.front();
  const std::vector<int>& kept = keep[first];
  for (const int layer : group.layers) {
    if (keep[layer] != kept) {
      return absl::InvalidArgumentError(absl::StrCat("layer ", genome.layer(layer).name,
                                                     " must keep the same filters as ",
                                                     genome.layer(first).name));
    }
  }
  const int filters = genome.conv(first).filters();
  if (!group.prunable && !kept.empty() && static_cast<int>(kept.size()) != filters) {
    return absl::InvalidArgumentError(
        absl::StrCat("layer ", genome.layer(first).name, ": its filters are the classes and stay"));
  }
  return Annotate(CheckKeep(kept, filters), absl::StrCat("layer ", genome.layer(first).name));
}

}  // namespace

absl::StatusOr<Genome> Genome::Create(std::vector<Layer> layers) {
  SQUISH_ASSIGN_OR_RETURN(std::vector<int> channels, CheckLayers(layers));
  Genome genome;
  genome.json_ = LayersToJson(layers, LineageForm::kIndices);
  if (genome.json_.size() > kMaximumGenomeJsonBytes) {
    return absl::InvalidArgumentError(absl::StrCat("the genome has ", genome.json_.size(),
                                                   " bytes as JSON; at most ",
                                                   kMaximumGenomeJsonBytes, " are possible"));
  }
  genome.digest_ = Sha256Hex(genome.json_);
  genome.architecture_digest_ = Sha256Hex(LayersToJson(layers, LineageForm::kCount));
  genome.output_channels_ = std::move(channels);
  genome.layers_ = std::move(layers);
  for (int i = 0; i < genome.size(); ++i) {
    if (genome.IsConv(i)) genome.convs_.push_back(i);
  }
  // No operation ties filters of two convolutions together yet; a residual add and
  // a depthwise convolution will.
  genome.groups_ = GroupFilters(genome.convs_, /*ties=*/{});
  return genome;
}

absl::StatusOr<Genome> Genome::FromJson(absl::string_view json) {
  absl::StatusOr<std::vector<Layer>> layers = LayersFromJson(json);
  if (!layers.ok()) return Annotate(layers.status(), "genome JSON");
  SQUISH_ASSIGN_OR_RETURN(Genome genome, Create(*std::move(layers)));
  if (genome.json_ != json) {
    const auto [canonical, given] =
        std::mismatch(genome.json_.begin(), genome.json_.end(), json.begin(), json.end());
    return absl::InvalidArgumentError(absl::StrCat(
        "genome JSON: it is not canonical; it differs first at byte ", given - json.begin()));
  }
  return genome;
}

int Genome::InputChannels(int index) const {
  int channels = 0;
  for (const int input : layers_[index].inputs) channels += output_channels_[input];
  return channels;
}

void Genome::AppendOutputOrigins(int index, std::vector<ChannelOrigin>& origins) const {
  // All operations but these hand each channel on.
  while (index != 0 && !IsConv(index) && layers_[index].inputs.size() == 1) {
    index = layers_[index].inputs[0];
  }
  if (index == 0 || IsConv(index)) {
    for (int i = 0; i < output_channels_[index]; ++i) origins.push_back({index, i});
  } else {
    for (const int input : layers_[index].inputs) AppendOutputOrigins(input, origins);
  }
}

std::vector<Genome::ChannelOrigin> Genome::OutputOrigins(int index) const {
  std::vector<ChannelOrigin> origins;
  origins.reserve(output_channels_[index]);
  AppendOutputOrigins(index, origins);
  return origins;
}

std::vector<Genome::ChannelOrigin> Genome::InputOrigins(int index) const {
  std::vector<ChannelOrigin> origins;
  origins.reserve(InputChannels(index));
  for (const int input : layers_[index].inputs) AppendOutputOrigins(input, origins);
  return origins;
}

absl::StatusOr<Genome> Genome::Prune(const std::vector<std::vector<int>>& keep) const {
  if (keep.size() != layers_.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("pruning lists ", keep.size(), " layers; the genome has ", layers_.size()));
  }
  for (int i = 0; i < size(); ++i) {
    if (!keep[i].empty() && !IsConv(i)) {
      return absl::InvalidArgumentError(
          absl::StrCat("layer ", layers_[i].name, " is no convolution and has no filters to keep"));
    }
  }
  for (const FilterGroup& group : groups_) SQUISH_RETURN_IF_ERROR(CheckGroup(group, *this, keep));
  std::vector<Layer> layers = layers_;
  for (const int conv : convs_) {
    if (keep[conv].empty()) continue;
    const std::vector<int>& from = this->conv(conv).lineage;
    std::vector<int>& to = std::get<Conv2d>(layers[conv].operation).lineage;
    to.clear();
    for (const int position : keep[conv]) to.push_back(from[position]);
  }
  return Create(std::move(layers));
}

}  // namespace squish

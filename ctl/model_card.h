// The page that goes with a champion's files: what it is, how it was measured and on what,
// how it came to be, and what must be said of data, licences and leaks. Pure.
#ifndef SQUISH_CTL_MODEL_CARD_H_
#define SQUISH_CTL_MODEL_CARD_H_

#include <string>
#include <vector>

#include "common/weights/network.h"
#include "squish/v1/experiment.pb.h"

namespace squish {

struct ModelCardFacts {
  v1::Experiment experiment;
  v1::Champion champion;                     // READY.
  std::vector<v1::Individual> individuals;  // Of the experiment, for the lineage.
  Network network;                           // The champion's own file.
};

// Markdown.
std::string ModelCard(const ModelCardFacts& facts);

// From the individual back to generation 0, itself first; one parent each. Stops where an
// ancestor is not among `individuals`.
std::vector<v1::Individual> Lineage(const std::vector<v1::Individual>& individuals,
                                    v1::IndividualName name);

}  // namespace squish

#endif  // SQUISH_CTL_MODEL_CARD_H_

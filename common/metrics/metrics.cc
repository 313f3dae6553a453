#include "common/metrics/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/exposer.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <exception>

#include "absl/strings/str_cat.h"

namespace squish {

void GaugeFamily::Set(const MetricLabels& labels, double value) { family_->Add(labels).Set(value); }

void GaugeTable::Replace(const std::vector<std::pair<MetricLabels, double>>& values) {
  std::map<MetricLabels, prometheus::Gauge*> now;
  for (const auto& [labels, value] : values) {
    prometheus::Gauge& gauge = family_.family_->Add(labels);
    gauge.Set(value);
    now[labels] = &gauge;
  }
  for (const auto& [labels, gauge] : shown_) {
    if (!now.contains(labels)) family_.family_->Remove(gauge);
  }
  shown_ = std::move(now);
}

void CounterFamily::Add(const MetricLabels& labels, double amount) {
  family_->Add(labels).Increment(amount);
}

void CounterFamily::RaiseTo(const MetricLabels& labels, double total) {
  prometheus::Counter& counter = family_->Add(labels);
  const double missing = total - counter.Value();
  if (missing > 0) counter.Increment(missing);
}

void HistogramFamily::Observe(const MetricLabels& labels, double value) {
  family_->Add(labels, bounds_).Observe(value);
}

Metrics::Metrics() : registry_(std::make_shared<prometheus::Registry>()) {}

Metrics::~Metrics() = default;

GaugeFamily Metrics::Gauges(const std::string& name, const std::string& help) {
  return GaugeFamily(&prometheus::BuildGauge().Name(name).Help(help).Register(*registry_));
}

CounterFamily Metrics::Counters(const std::string& name, const std::string& help) {
  return CounterFamily(&prometheus::BuildCounter().Name(name).Help(help).Register(*registry_));
}

HistogramFamily Metrics::Histograms(const std::string& name, const std::string& help,
                                    std::vector<double> bounds) {
  return HistogramFamily(&prometheus::BuildHistogram().Name(name).Help(help).Register(*registry_),
                         std::move(bounds));
}

absl::StatusOr<int> Metrics::Serve(const std::string& address) {
  try {
    exposer_ = std::make_unique<prometheus::Exposer>(address, /*num_threads=*/2);
  } catch (const std::exception&) {  // The web server's only way to say it; no reason in it.
    return absl::FailedPreconditionError(absl::StrCat(
        "cannot serve metrics on ", address,
        ": another program uses that port, or the address is not one of this machine; "
        "choose another with --metrics HOST:PORT (port 0 picks a free one)"));
  }
  exposer_->RegisterCollectable(registry_);
  return exposer_->GetListeningPorts().at(0);
}

std::string Metrics::Text() const {
  return prometheus::TextSerializer().Serialize(registry_->Collect());
}

}  // namespace squish

// Prometheus series of a process, thin over prometheus-cpp.
//
//   Metrics metrics;
//   GaugeFamily jobs = metrics.Gauges("squish_jobs", "Jobs by kind and state.");
//   jobs.Set({{"kind", "TRAIN"}, {"state", "QUEUED"}}, 3);
//   SQUISH_ASSIGN_OR_RETURN(const int port, metrics.Serve("127.0.0.1:9461"));
//
// Thread-safe, but for Serve. Families are handles: cheap to copy, and no longer than
// their Metrics.
#ifndef SQUISH_COMMON_METRICS_METRICS_H_
#define SQUISH_COMMON_METRICS_METRICS_H_

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace prometheus {
class Counter;
class Exposer;
class Gauge;
class Histogram;
class Registry;
template <typename T>
class Family;
}  // namespace prometheus

namespace squish {

using MetricLabels = std::map<std::string, std::string>;

// A value that goes up and down.
class GaugeFamily {
 public:
  void Set(const MetricLabels& labels, double value);

 private:
  friend class GaugeTable;
  friend class Metrics;
  explicit GaugeFamily(prometheus::Family<prometheus::Gauge>* family) : family_(family) {}
  prometheus::Family<prometheus::Gauge>* family_;
};

// Gauges of things that come and go: those that are not named any more vanish.
// Not thread-safe.
class GaugeTable {
 public:
  explicit GaugeTable(GaugeFamily family) : family_(family) {}
  void Replace(const std::vector<std::pair<MetricLabels, double>>& values);

 private:
  GaugeFamily family_;
  std::map<MetricLabels, prometheus::Gauge*> shown_;
};

// A sum that only grows.
class CounterFamily {
 public:
  void Add(const MetricLabels& labels, double amount);
  // Grows up to `total`, for sums that are kept elsewhere; never shrinks.
  void RaiseTo(const MetricLabels& labels, double total);

 private:
  friend class Metrics;
  explicit CounterFamily(prometheus::Family<prometheus::Counter>* family) : family_(family) {}
  prometheus::Family<prometheus::Counter>* family_;
};

class HistogramFamily {
 public:
  void Observe(const MetricLabels& labels, double value);

 private:
  friend class Metrics;
  HistogramFamily(prometheus::Family<prometheus::Histogram>* family, std::vector<double> bounds)
      : family_(family), bounds_(std::move(bounds)) {}
  prometheus::Family<prometheus::Histogram>* family_;
  std::vector<double> bounds_;
};

class Metrics {
 public:
  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // A name may be asked for once.
  GaugeFamily Gauges(const std::string& name, const std::string& help);
  CounterFamily Counters(const std::string& name, const std::string& help);
  // `bounds`: upper bounds of the buckets, ascending.
  HistogramFamily Histograms(const std::string& name, const std::string& help,
                             std::vector<double> bounds);

  // Serves /metrics on `address` ("127.0.0.1:0" picks a port) until destroyed; returns
  // the port. FAILED_PRECONDITION: the address is in use or cannot be bound.
  absl::StatusOr<int> Serve(const std::string& address);

  // What /metrics would answer.
  std::string Text() const;

 private:
  const std::shared_ptr<prometheus::Registry> registry_;
  std::unique_ptr<prometheus::Exposer> exposer_;
};

}  // namespace squish

#endif  // SQUISH_COMMON_METRICS_METRICS_H_

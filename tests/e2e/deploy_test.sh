#!/usr/bin/env bash
# The deployment files are valid for the tools that read them, and the dashboard
# shows only series that are documented.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export PYTHONDONTWRITEBYTECODE=1

promtool check config deploy/prometheus/prometheus.yml
docker-compose -f docker-compose.yml config >/dev/null
echo "docker-compose config: OK"

for script in squish .ci/run deploy/install-deps.sh deploy/sysroot.sh; do bash -n "$script"; done

dashboard=deploy/grafana/dashboards/squish.json
jq -e '.uid == "squish" and (.panels | length) > 5' "$dashboard" >/dev/null
failed=0
mapfile -t shown < <(jq -r '.panels[].targets[].expr' "$dashboard" | grep -o 'squish_[a-z_]*' |
    sed 's/_bucket$//; s/_count$//; s/_sum$//' | sort -u)
if [[ ${#shown[@]} -lt 8 ]]; then
  echo "the dashboard shows only ${#shown[@]} series: ${shown[*]}"
  failed=1
fi
for series in "${shown[@]}"; do
  if ! grep -q "\`$series\`\|\`$series{" docs/metrics.md; then
    echo "the dashboard shows $series, which docs/metrics.md does not know"
    failed=1
  fi
done
exit $failed

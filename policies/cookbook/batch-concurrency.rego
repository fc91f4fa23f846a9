# Batch jobs: not many of their requests run at once, so that people need not wait
# behind them.
#
# Use it where jobs and people share providers. Keys of jobs have the label
# `use: batch`; one that sends more at once gets 429, to come again in a second.
# Requests with other keys are not counted.
package attache.request

import rego.v2

# METADATA
# custom: {id: batch-concurrency}
limit contains {"per": "key", "concurrent": 4} if input.caller.labels.use == "batch"

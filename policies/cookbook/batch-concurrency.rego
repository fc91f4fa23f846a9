# Batch jobs: not many of their requests run at once, so that people need not wait
# behind them.
#
# Use it where jobs and people share providers. Keys of jobs have the label
# `use: batch`; who sends more at once than their team may gets 429 with a time to
# come again. Requests of people are neither counted nor held up.
package attache.request

import rego.v2

# METADATA
# custom: {id: batch-concurrency}
limit contains {"per": "team", "concurrent": 4} if input.caller.labels.use == "batch"

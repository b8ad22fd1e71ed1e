# SPDX-License-Identifier: MIT
# What R's forecast package says of the same series: Rscript forecast.R INPUT OUTPUT [METHODS].
# METHODS is one word with commas, e.g. snaive,ets; default all.
# INPUT has a line a series: number, seasons m1 and m2 (1, 0 = none), horizon, n, n values.
# OUTPUT gets a line a series and method: method, number, seconds, then mean, low and high (95 %) of each step.
# Every method is called as its help page does, on the whole training part, with default options.
suppressPackageStartupMessages(library(forecast))
args <- commandArgs(trailingOnly = TRUE)
lines <- lapply(strsplit(readLines(args[1]), " "), as.numeric)
out <- file(args[2], "w")

single <- function(s) ts(s$x, frequency = s$m1)
several <- function(s) {
  if (s$m2 > 1 && length(s$x) > 2 * s$m2) msts(s$x, c(s$m1, s$m2)) else single(s)
}
methods <- list(
  snaive = function(s) snaive(single(s), h = s$h, level = 95),
  ets = function(s) forecast(ets(single(s)), h = s$h, level = 95),
  thetaf = function(s) thetaf(single(s), h = s$h, level = 95),
  auto.arima = function(s) forecast(auto.arima(single(s)), h = s$h, level = 95),
  `mstl+arima` = function(s) {
    x <- several(s)
    if (s$m1 > 1 && length(s$x) > 2 * s$m1) stlf(x, method = "arima", h = s$h, level = 95)
    else forecast(auto.arima(x), h = s$h, level = 95)
  },
  tbats = function(s) forecast(tbats(several(s), use.parallel = FALSE), h = s$h, level = 95)
)
invisible(forecast(ets(ts(1:40 %% 7, frequency = 4)), h = 4)) # what the first call loads is nobody's time
wanted <- if (length(args) > 2) strsplit(args[3], ",")[[1]] else names(methods)
unknown <- setdiff(wanted, names(methods))
if (length(unknown)) stop("no method ", unknown[1], "; there are ", paste(names(methods), collapse = ", "))
for (name in wanted) {
  for (line in lines) {
    s <- list(m1 = line[2], m2 = line[3], h = line[4], x = line[-(1:5)])
    began <- proc.time()[["elapsed"]]
    f <- tryCatch(methods[[name]](s), error = function(e) {
      message(name, ", series ", line[1], ": ", conditionMessage(e))
      NULL
    })
    took <- proc.time()[["elapsed"]] - began
    if (!is.null(f)) {
      values <- c(as.numeric(f$mean), as.numeric(f$lower), as.numeric(f$upper))
      if (all(is.finite(values)))
        cat(name, line[1], format(took, digits = 6), sprintf("%.17g", values), "\n", file = out)
    }
  }
}
close(out)

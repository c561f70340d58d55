"""What each way of forecasting expects; how sure that is, calibration says."""

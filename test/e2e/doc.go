// Package e2e tests the built program against real ones: IAM as simulated by
// moto, Prometheus, and Alertmanager. What must come out is computed by
// moto/expected.py, a second implementation in another language that shares no
// code with the first.
//
// `make e2e` installs what the tests need and runs them.
package e2e

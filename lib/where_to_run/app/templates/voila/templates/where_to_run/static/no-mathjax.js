// Voila's page loads MathJax 2 whether or not there is a formula. There is none here.
window.MathJax = { Hub: { Config() {}, Configured() {}, Queue() {}, Register: { StartupHook() {} } } };

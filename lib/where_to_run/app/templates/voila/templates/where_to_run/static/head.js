// The scheme: ?theme=dark or light where the address says so, else as the system has it.
(() => {
  const asked = new URLSearchParams(location.search).get("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const set = asked === "dark" || asked === "light";
  window.wtr_scheme = () => (set ? asked : system.matches ? "dark" : "light");
  if (!set) return;
  document.documentElement.dataset.theme = asked;
  for (const link of document.querySelectorAll("link[data-scheme]"))
    link.media = link.dataset.scheme === asked ? "all" : "not all";
})();

document.getElementById("suggestion").textContent = "Because you looked at the tour: the gallery.";

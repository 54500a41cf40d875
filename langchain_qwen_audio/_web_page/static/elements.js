// The elements of the page, by their ids.

export const $ = id => document.getElementById(id);

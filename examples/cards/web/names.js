// SPDX-License-Identifier: MIT
// names.js - a name for each user, who may choose another one; each tab is another user.
//
// A page keeps its name when it is loaded again. A tab that was duplicated, or opened from this one,
// inherits sessionStorage; it is a new user, so it gets a name of its own.

const COLOURS = (
  'Amber Azure Copper Coral Cobalt Crimson Golden Hazel Indigo Ivory Jade Lilac Lime Maroon ' +
  'Mauve Olive Pearl Plum Rose Ruby Russet Sable Saffron Scarlet Sienna Silver Teal Umber'
).split(' ');
const BIRDS = (
  'Bittern Bunting Crane Curlew Dipper Dunlin Egret Falcon Finch Gannet Grebe Harrier Heron ' +
  'Hoopoe Ibis Jay Kestrel Kite Lapwing Linnet Martin Merlin Osprey Owl Petrel Pipit Plover ' +
  'Puffin Robin Siskin Starling Stork Swift Teal Tern Thrush Wagtail Warbler Wren'
).split(' ');
const KEY = 'cards.name';

export const NAME_MAX = 24; // characters

const oneOf = (list) => list[Math.floor(Math.random() * list.length)];

export function myName() {
  const [entry] = performance.getEntriesByType('navigation');
  const again = entry?.type === 'reload' || entry?.type === 'back_forward';
  const fresh = `${oneOf(COLOURS)} ${oneOf(BIRDS)}`;
  try {
    const name = (again && sessionStorage.getItem(KEY)) || fresh;
    sessionStorage.setItem(KEY, name);
    return name;
  } catch {
    return fresh; // If the browser stores nothing, each load gets a new name.
  }
}

export function keepName(name) {
  try {
    sessionStorage.setItem(KEY, name);
  } catch {
    // It is lost when the page is loaded again.
  }
}

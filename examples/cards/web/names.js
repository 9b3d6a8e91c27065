// SPDX-License-Identifier: MIT
// names.js - a name for each user; each tab is another user.

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

const oneOf = (list) => list[Math.floor(Math.random() * list.length)];

export function myName() {
  let name = null;
  try {
    name = sessionStorage.getItem(KEY);
    if (!name) sessionStorage.setItem(KEY, (name = `${oneOf(COLOURS)} ${oneOf(BIRDS)}`));
  } catch {
    // If the browser stores nothing, each load gets a new name.
  }
  return name ?? `${oneOf(COLOURS)} ${oneOf(BIRDS)}`;
}

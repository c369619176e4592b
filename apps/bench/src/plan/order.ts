import { type Random, shuffled } from '../stats/index.ts'

/**
 * The order in which `count` cells run their trials: A B B A. Each pair of rounds is one drawn order and its reverse.
 * So a drift of the machine (heat, a neighbour) falls on all cells alike.
 *
 * @returns for each round, indices of cells
 */
export function interleaved(count: number, rounds: number, random: Random): number[][] {
  const order: number[][] = []
  const indices = Array.from({ length: count }, (_, index) => index)
  while (order.length < rounds) {
    const drawn = shuffled(indices, random)
    order.push(drawn, [...drawn].reverse())
  }
  return order.slice(0, rounds)
}

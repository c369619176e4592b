export {
  type Arguments,
  didYouMean,
  listOf,
  type OptionTable,
  oneOf,
  readArguments,
  VARIADIC,
} from '@vring/cli'

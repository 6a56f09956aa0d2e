export { type PrivateMysql, type PrivateMysqlOptions, startPrivateMysql } from './private-mysql.ts';
export {
  type PrivateRabbitmq,
  type PrivateRabbitmqOptions,
  rabbitmqctl,
  startPrivateRabbitmq,
} from './private-rabbitmq.ts';

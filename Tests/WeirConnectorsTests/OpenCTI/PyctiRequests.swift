/// What pycti sends, as captured from 6.4.11 and 7.261026.0.
enum PyctiRequests {
    static let health = """
        query healthCheck {
          about {
            version
          }
        }
        """

    static let register7 = """
        mutation RegisterConnector($input: RegisterConnectorInput) {
            registerConnector(input: $input) {
                id
                connector_state
                jwks
                config {
                    connection { host vhost use_ssl port user pass }
                    s3 { endpoint port use_ssl bucket_name bucket_region access_key secret_key }
                    listen
                    listen_routing
                    listen_exchange
                    push
                    push_routing
                    push_exchange
                }
                connector_user_id
            }
        }
        """

    static let register6 = """
        mutation RegisterConnector($input: RegisterConnectorInput) {
            registerConnector(input: $input) {
                id
                connector_state
                config {
                    connection { host vhost use_ssl port user pass }
                    listen
                    listen_routing
                    listen_exchange
                    push
                    push_routing
                    push_exchange
                }
                connector_user_id
            }
        }
        """

    static func input7(_ id: String) -> String {
        """
        {"input":{"id":"\(id)","name":"Mini","type":"EXTERNAL_IMPORT","scope":["identity","indicator"],"auto":false,
        "auto_update":false,"enrichment_resolution":"none","only_contextual":false,"playbook_compatible":false,
        "listen_callback_uri":null,"version":"7.1","slug":null,"of_next_year":{"a":[1]}}}
        """
    }

    static func input6(_ id: String) -> String {
        """
        {"input":{"id":"\(id)","name":"Mini","type":"EXTERNAL_IMPORT","scope":["identity"],"auto":false,
        "only_contextual":false,"playbook_compatible":false}}
        """
    }

    static let ping = """
        mutation PingConnector($id: ID!, $state: String, $connectorInfo: ConnectorInfoInput ) {
            pingConnector(id: $id, state: $state, connectorInfo: $connectorInfo) {
                id
                connector_state
                connector_info {
                    run_and_terminate
                    buffering
                    queue_threshold
                    queue_messages_size
                    next_run_datetime
                    last_run_datetime
                }
            }
        }
        """

    static func pingVariables(_ id: String, state: String) -> String {
        """
        {"id":"\(id)","state":\(state),"connectorInfo":{"run_and_terminate":false,"buffering":true,
        "queue_threshold":8.0,"queue_messages_size":9.9,"next_run_datetime":"2026-11-20T23:07:41Z",
        "last_run_datetime":null}}
        """
    }

    static let workAdd7 = """
        mutation workAdd($connectorId: String!, $friendlyName: String, $isMultiPartWork: Boolean) {
            workAdd(connectorId: $connectorId, friendlyName: $friendlyName, isMultiPartWork: $isMultiPartWork) {
              id
            }
        }
        """

    static let addExpectations = """
        mutation addExpectations($id: ID!, $expectations: Int) {
            workEdit(id: $id) {
                addExpectations(expectations: $expectations)
            }
        }
        """

    static let toProcessed = """
        mutation workToProcessed($id: ID!, $message: String, $inError: Boolean) {
            workEdit(id: $id) {
                toProcessed (message: $message, inError: $inError)
            }
        }
        """

    static let push7 = """
        mutation StixBundlePush($connectorId: String!, $bundle: String!, $work_id: String) {
            stixBundlePush(connectorId: $connectorId, bundle: $bundle, work_id: $work_id)
        }
        """

    static let push6 = """
        mutation StixBundlePush($connectorId: String!, $bundle: String!) {
            stixBundlePush(connectorId: $connectorId, bundle: $bundle)
        }
        """

    static let getConnector = """
        query GetConnector($id: String!) {
            connector(id: $id) {
                id
                name
                active
                auto
                only_contextual
                connector_type
                connector_scope
                connector_state
                connector_queue_details {
                    messages_number
                    messages_size
                }
                updated_at
                created_at
                config {
                    listen
                    listen_exchange
                    push
                    push_exchange
                    push_routing
                }
                built_in
            }
          }
        """

    static let work = """
        query WorkQuery($id: ID!) {
            work(id: $id) {
                id name user { name } timestamp status event_source_id received_time processed_time completed_time
                tracking { import_expected_number import_processed_number }
                messages { timestamp message sequence source }
                errors { timestamp message sequence source }
            }
        }
        """

    static let works = """
        query ConnectorWorksQuery($count: Int $orderBy: WorksOrdering $orderMode: OrderingMode $filters: FilterGroup) {
            works(first: $count orderBy: $orderBy orderMode: $orderMode filters: $filters) {
                edges { node { id status } }
            }
        }
        """

    static let markings = """
        query MarkingDefinitions($filters: FilterGroup, $first: Int, $after: ID, $orderBy: MarkingDefinitionsOrdering,
            $orderMode: OrderingMode) {
            markingDefinitions(filters: $filters, first: $first, after: $after, orderBy: $orderBy,
                orderMode: $orderMode) {
                edges { node { standard_id definition_type definition x_opencti_order } }
                pageInfo { startCursor endCursor hasNextPage hasPreviousPage globalCount }
            }
        }
        """
}

"""Every GraphQL document that is sent to Blink. A test validates each against Blink's schema."""

from __future__ import annotations

import copy
from typing import Any, Final

from gql import GraphQLRequest
from graphql import DocumentNode, NameNode, OperationDefinitionNode, print_ast


class Operation(GraphQLRequest):
    """A document parsed and printed once; `bind` makes the request to send.

    gql itself prints the document again for every request, which costs more than sending it.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._text = print_ast(self.document)
        self.name = _name(self.document)

    def bind(self, **variables: object) -> Operation:
        """This operation with its variables."""
        bound = copy.copy(self)
        bound.variable_values = variables
        return bound

    @property
    def payload(self) -> dict[str, Any]:
        """What gql puts on the wire."""
        return {"query": self._text, "variables": self.variable_values or {}}


def _name(document: DocumentNode) -> str:
    match document.definitions[0]:
        case OperationDefinitionNode(name=NameNode(value=name)):
            return name
        case _:
            raise AssertionError("a document begins with its operation, which has a name")


_ENTRY = """
  id direction status settlementAmount settlementCurrency externalId
  initiationVia { __typename ... on InitiationViaLn { paymentHash } }
"""

CREATE_INVOICE: Final = Operation("""
mutation CreateInvoice($input: LnInvoiceCreateInput!) {
  lnInvoiceCreate(input: $input) {
    errors { message code }
    invoice { paymentHash paymentRequest satoshis createdAt }
  }
}""")

CANCEL_INVOICE: Final = Operation("""
mutation CancelInvoice($input: LnInvoiceCancelInput!) {
  lnInvoiceCancel(input: $input) { errors { message code } success }
}""")

PAY_INVOICE: Final = Operation("""
mutation PayInvoice($input: LnInvoicePaymentInput!) {
  lnInvoicePaymentSend(input: $input) {
    errors { message code }
    status
    transaction { id direction status }
  }
}""")

ENTRIES_OF_HASH: Final = Operation(f"""
query EntriesOfHash($walletId: WalletId!, $paymentHash: PaymentHash!) {{
  me {{ defaultAccount {{ walletById(walletId: $walletId) {{
    transactionsByPaymentHash(paymentHash: $paymentHash) {{ {_ENTRY} createdAt }}
  }} }} }}
}}""")

ENTRIES: Final = Operation(f"""
query Entries($walletIds: [WalletId], $first: Int, $after: String) {{
  me {{ defaultAccount {{
    transactions(first: $first, after: $after, walletIds: $walletIds) {{
      pageInfo {{ endCursor hasNextPage }}
      edges {{ node {{ {_ENTRY} createdAt }} }}
    }}
  }} }}
}}""")

INVOICE: Final = Operation("""
query Invoice($walletId: WalletId!, $paymentHash: PaymentHash!) {
  me { defaultAccount { walletById(walletId: $walletId) {
    invoiceByPaymentHash(paymentHash: $paymentHash) {
      paymentHash paymentRequest externalId createdAt
    }
  } } }
}""")

INVOICES: Final = Operation("""
query Invoices($walletIds: [WalletId], $first: Int, $after: String) {
  me { defaultAccount {
    invoices(first: $first, after: $after, walletIds: $walletIds) {
      pageInfo { endCursor hasNextPage }
      edges { node { paymentHash paymentRequest externalId createdAt } }
    }
  } }
}""")

WALLETS: Final = Operation("""
query Wallets { me { defaultAccount { wallets { id walletCurrency } } } }
""")

CREDENTIALS: Final = Operation("""
query Credentials {
  authorization { scopes }
  globals { network }
  me { defaultAccount { wallets { id walletCurrency balance } } }
}""")

# `createdAt` is left out: in events Blink sends an error object in its place.
MY_UPDATES: Final = Operation(f"""
subscription MyUpdates {{
  myUpdates {{
    errors {{ message }}
    update {{
      __typename
      ... on LnUpdate {{ status transaction {{ {_ENTRY} }} }}
    }}
  }}
}}""")

OPERATIONS: Final = tuple(
    call.name
    for call in (
        CREATE_INVOICE,
        CANCEL_INVOICE,
        PAY_INVOICE,
        ENTRIES_OF_HASH,
        ENTRIES,
        INVOICE,
        INVOICES,
        WALLETS,
        CREDENTIALS,
    )
)
"""The names of everything that is asked over HTTP."""

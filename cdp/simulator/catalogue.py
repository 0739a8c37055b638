"""500 invented products in 20 categories, in English and Chinese, with typed facts."""

from __future__ import annotations

import random
from collections.abc import Mapping

from cdp.domain.listing import Listing

PRODUCTS_PER_CATEGORY = 25
# category en, zh, base price, base weight in kg, nouns (en, zh)
CATEGORIES: tuple[tuple[str, str, float, float, tuple[tuple[str, str], ...]], ...] = (
    ("Coffee", "咖啡", 14, 0.5, (("coffee beans", "咖啡豆"), ("pour-over kettle", "手冲壶"), ("burr grinder", "磨豆机"))),
    ("Tea", "茶", 11, 0.2, (("green tea", "绿茶"), ("teapot", "茶壶"), ("tea tray", "茶盘"))),
    ("Running", "跑步", 85, 0.6, (("running shoes", "跑鞋"), ("running jacket", "跑步外套"), ("waist bag", "腰包"))),
    ("Yoga", "瑜伽", 32, 1.1, (("yoga mat", "瑜伽垫"), ("yoga block", "瑜伽砖"), ("leggings", "瑜伽裤"))),
    ("Camping", "露营", 120, 2.5, (("tent", "帐篷"), ("sleeping bag", "睡袋"), ("camp stove", "露营炉"))),
    ("Cycling", "骑行", 60, 0.7, (("bike helmet", "骑行头盔"), ("bike light", "车灯"), ("cycling gloves", "骑行手套"))),
    ("Cookware", "炊具", 48, 1.8, (("frying pan", "煎锅"), ("casserole", "炖锅"), ("chef's knife", "主厨刀"))),
    ("Baking", "烘焙", 22, 0.9, (("cake tin", "蛋糕模"), ("rolling pin", "擀面杖"), ("mixing bowl", "搅拌碗"))),
    ("Bedding", "床品", 75, 1.6, (("duvet cover", "被套"), ("pillow", "枕头"), ("bed sheet", "床单"))),
    ("Bath", "卫浴", 24, 0.5, (("bath towel", "浴巾"), ("bathrobe", "浴袍"), ("bath mat", "浴室地垫"))),
    ("Skincare", "护肤", 28, 0.15, (("face cream", "面霜"), ("cleanser", "洁面乳"), ("sun lotion", "防晒乳"))),
    ("Haircare", "护发", 16, 0.3, (("shampoo", "洗发水"), ("conditioner", "护发素"), ("hairbrush", "发梳"))),
    ("Toys", "玩具", 26, 0.6, (("building blocks", "积木"), ("puzzle", "拼图"), ("plush bear", "毛绒熊"))),
    ("Baby", "母婴", 38, 0.8, (("baby blanket", "婴儿毯"), ("baby bottle", "奶瓶"), ("baby carrier", "婴儿背带"))),
    ("Pets", "宠物", 21, 1.2, (("dog bed", "狗窝"), ("cat tree", "猫爬架"), ("pet bowl", "宠物碗"))),
    ("Garden", "园艺", 29, 1.4, (("watering can", "浇水壶"), ("garden shears", "园艺剪"), ("flower pot", "花盆"))),
    ("Audio", "音频", 95, 0.4, (("headphones", "耳机"), ("speaker", "音箱"), ("turntable", "唱片机"))),
    ("Desk", "办公", 44, 1.0, (("desk lamp", "台灯"), ("notebook set", "笔记本套装"), ("laptop stand", "电脑支架"))),
    ("Travel", "旅行", 90, 2.2, (("suitcase", "行李箱"), ("travel pillow", "旅行枕"), ("backpack", "背包"))),
    ("Knitting", "编织", 13, 0.25, (("yarn set", "毛线套装"), ("knitting needles", "编织针"), ("embroidery kit", "刺绣套装"))),
)  # fmt: skip
STYLES = (
    ("Classic", "经典"),
    ("Light", "轻量"),
    ("Large", "大号"),
    ("Compact", "便携"),
    ("Everyday", "日常"),
)
MATERIALS = (
    ("cotton", "棉"),
    ("bamboo", "竹"),
    ("steel", "钢"),
    ("wool", "羊毛"),
    ("recycled plastic", "再生塑料"),
)
BRANDS = ("Alder", "Brook", "Cinder", "Dovetail", "Ember")
EXCLUSIVE = ("web", "app")


def sample_products(seed: int = 1) -> list[Listing]:
    """The catalogue; the same seed gives the same products."""
    dice = random.Random(seed)
    listings: list[Listing] = []
    for number, (category, category_zh, price, weight, nouns) in enumerate(CATEGORIES):
        for place in range(PRODUCTS_PER_CATEGORY):
            noun, noun_zh = nouns[place % len(nouns)]
            style, style_zh = STYLES[place // len(BRANDS)]
            material, material_zh = MATERIALS[(place + number) % len(MATERIALS)]
            brand = BRANDS[place % len(BRANDS)]
            amount = f"{price * dice.uniform(0.6, 1.6):.2f}"
            kilograms = f"{weight * dice.uniform(0.6, 1.5):.2f}"
            title = f"{brand} {style} {noun}"
            text = f"A {style.lower()} {noun} of {material}, for people who like {category.lower()}"
            text_zh = f"{style_zh}{noun_zh},{material_zh}材质,适合喜欢{category_zh}的人"
            only = (EXCLUSIVE[number % 2],) if place == PRODUCTS_PER_CATEGORY - 1 else ()
            listings.append(
                Listing(
                    sku=f"{category[:3].upper()}-{place + 1:03}", title=title, description=text,
                    category=category, brand=brand, channels=only,
                    facts={
                        "name": ("text", {"en": title, "zh": f"{brand}{style_zh}{noun_zh}"}),
                        "summary": ("text", {"en": text, "zh": text_zh}),
                        "brand": ("text", {"en": brand, "zh": brand}),
                        "category": ("text", {"en": category, "zh": category_zh}),
                        "material": ("text", {"en": material, "zh": material_zh}),
                        "price": ("money", {"amount": amount, "currency": "USD"}),
                        "weight": ("quantity", {"number": kilograms, "unit": "kg"}),
                    },
                )
            )  # fmt: skip
    return listings


def channel_records(
    listings: list[Listing], channel: str, seed: int = 2
) -> Mapping[str, Mapping[str, str]]:
    """What a channel's own product list says: some prices and weights there are out of date."""
    dice = random.Random(f"{seed}/{channel}")
    records: dict[str, dict[str, str]] = {}
    for item in listings:
        price, weight = (
            float(item.facts["price"][1]["amount"]),
            float(item.facts["weight"][1]["number"]),
        )
        if dice.random() < 0.12:
            price = round(price * dice.choice((0.9, 1.1, 1.2)), 2)
        if dice.random() < 0.08:
            weight = round(weight * dice.choice((0.8, 1.25)), 2)
        records[item.sku] = {"price": f"{price:g} USD", "weight": f"{weight:g} kg"}
    return records


SPECS: tuple[tuple[str, str, str, int, str], ...] = (
    ("web", "en", "{name}.\n{summary}.\nMade of {material}, it weighs {weight}.\nPrice: {price}.", 600, "html"),
    ("web", "zh", "{name}。\n{summary}。\n材质:{material},重量:{weight}。\n价格:{price}。", 300, "html"),
    ("app", "en", "{name}.\nPrice: {price}.\nWeight: {weight}.\n{summary}.", 240, "plain"),
    ("app", "zh", "{name}。\n价格:{price}。\n重量:{weight}。", 120, "plain"),
    ("social", "en", "{name}, {price}.\nOnly {weight}.", 140, "plain"),
    ("social", "zh", "{name},{price}。\n仅重{weight}。", 80, "plain"),
    ("store", "en", "{name}.\n{price}.\n{weight}.", 100, "plain"),
    ("store", "zh", "{name}。\n{price}。\n{weight}。", 60, "plain"),
    ("email", "en", "{name}.\n{summary}.\nYours for {price}.\nWeight: {weight}.", 400, "html"),
    ("email", "zh", "{name}。\n{summary}。\n价格:{price}。\n重量:{weight}。", 240, "html"),
)  # fmt: skip
